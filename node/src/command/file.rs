//! Files that a person names: read up to a length, and said in his words what is wrong with one.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::CommandError;
use crate::text::{FileFault, Message};

/// The bytes of a file.
pub(super) fn read(path: &Path, len_bytes_max: u64) -> Result<Vec<u8>, CommandError> {
    let failed = |fault: FileFault<'_>| {
        let file = path.display().to_string();
        CommandError::failed("file-unreadable", &Message::FileUnreadable { file: &file, fault }).on("file")
    };
    let of_io = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => failed(FileFault::Missing),
        io::ErrorKind::PermissionDenied => failed(FileFault::Denied),
        io::ErrorKind::IsADirectory => failed(FileFault::NotAFile),
        _ => failed(FileFault::Other(&error.to_string())),
    };
    let metadata = std::fs::metadata(path).map_err(of_io)?;
    if !metadata.is_file() {
        return Err(failed(FileFault::NotAFile));
    }
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(len_bytes_max + 1).read_to_end(&mut bytes)).map_err(of_io)?;
    if bytes.len() as u64 > len_bytes_max {
        return Err(failed(FileFault::TooLong { len_bytes: metadata.len(), len_bytes_max }));
    }
    Ok(bytes)
}

/// The text of a file in UTF-8, without the mark that some editors put in front.
pub(super) fn read_text(path: &Path, len_bytes_max: u64) -> Result<String, CommandError> {
    let text = String::from_utf8(read(path, len_bytes_max)?).map_err(|_| {
        let file = path.display().to_string();
        let fault = FileFault::NotText;
        CommandError::failed("file-unreadable", &Message::FileUnreadable { file: &file, fault }).on("file")
    })?;
    Ok(text.strip_prefix('\u{feff}').map_or(text.clone(), str::to_owned))
}

/// What is wrong with a file of JSON.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FormError {
    /// It is no JSON.
    Syntax {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
    },
    /// It is JSON, but no object.
    NotAnObject,
    /// A member is not as it should be.
    Member {
        /// Where: `deadlines[3].handle`.
        path: String,
        /// What is wrong with it, as the reader says it.
        reason: String,
    },
}

impl FormError {
    /// The same, of a member that was read by itself.
    #[must_use]
    pub(super) fn within(self, outer: &str) -> Self {
        match self {
            Self::Member { path, reason } if path == "." => Self::Member { path: outer.to_owned(), reason },
            Self::Member { path, reason } => Self::Member { path: format!("{outer}.{path}"), reason },
            other => other,
        }
    }

    /// The member that it is about, if it is about one.
    pub(super) fn field(&self) -> Option<&str> {
        match self {
            Self::Member { path, .. } if path != "." => Some(path),
            _ => None,
        }
    }
}

impl fmt::Display for FormError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax { line, column } => write!(f, "line {line}, column {column}: this is no JSON"),
            Self::NotAnObject => f.write_str("it is no JSON object"),
            Self::Member { path, reason } if path == "." => f.write_str(reason),
            Self::Member { path, reason } => write!(f, "{path}: {reason}"),
        }
    }
}

/// A JSON value out of a text.
pub(super) fn json(text: &str) -> Result<Value, FormError> {
    serde_json::from_str(text)
        .map_err(|error| FormError::Syntax { line: error.line(), column: error.column() })
}

/// What a JSON value says, in its form.
pub(super) fn of_form<T: DeserializeOwned>(value: Value) -> Result<T, FormError> {
    serde_path_to_error::deserialize(value).map_err(|error| FormError::Member {
        path: error.path().to_string(),
        reason: error.inner().to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        #[allow(dead_code, reason = "read alone")]
        rows: Vec<Inner>,
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[allow(dead_code, reason = "read alone")]
        n: u32,
    }

    #[test]
    fn an_error_says_where() {
        let check = |text: &str| {
            let error = json(text).and_then(of_form::<Outer>).expect_err(text);
            (error.field().map(str::to_owned), error.to_string())
        };
        let (field, said) = check("{\"rows\":\n  [}");
        assert_eq!((field, said.contains("line 2, column 4")), (None, true), "{said}");
        for (text, field) in [
            (r#"{"rows":[{"n":1},{"n":"two"}]}"#, "rows[1].n"),
            (r#"{"rows":[{"n":1},{}]}"#, "rows[1]"),
            (r#"{"rows":[{"n":1,"m":2}]}"#, "rows[0].m"),
            (r#"{"rows":7}"#, "rows"),
        ] {
            let (found, said) = check(text);
            assert_eq!(found.as_deref(), Some(field), "{said}");
        }
        assert_eq!(check("{}").0, None);
    }
}
