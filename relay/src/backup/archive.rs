//! The file of a backup: entries and photos in sealed frames.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use chacha20poly1305::XChaCha20Poly1305;
use chacha20poly1305::aead::stream::{DecryptorBE32, EncryptorBE32};
use chacha20poly1305::aead::{KeyInit, Payload};

use super::keyfile::BackupKey;
use super::{BackupError, Contents, Header};

const MAGIC: &[u8] = b"wangge backup 1\n";
const NONCE_LEN_BYTES: usize = 19;
/// Clear bytes in a frame, at most.
const FRAME_LEN_BYTES: usize = 256 * 1024;
/// What sealing adds to a frame, in bytes.
const SEAL_LEN_BYTES: usize = 16;
const HEADER_LEN_BYTES_MAX: usize = 4_096;
/// Longest key and value of an entry, in bytes: those of the store.
const KEY_LEN_BYTES_MAX: usize = 64 * 1024;
const VALUE_LEN_BYTES_MAX: usize = wangge_store::VALUE_BYTES_MAX as usize;
/// Length of a value that stands for a deletion.
const DELETED: u32 = u32::MAX - 1;
/// Where a key's length would stand: there are no more entries.
const END: u32 = u32::MAX;

/// Before the name of a photo's file, where the key of an entry would stand: no key of the store begins so.
const PHOTO: &[u8] = b"\xffphoto\0";
/// Bytes of a photo in one entry, at most.
const PIECE_LEN_BYTES: usize = 128 * 1024;

/// What a backup holds.
pub(super) enum Entry<'a> {
    /// An entry of the store, `None` for one that was deleted after all.
    Stored(&'a [u8], Option<&'a [u8]>),
    /// The next piece of a photo, by the name of its file.
    Photo(&'a str, &'a [u8]),
}

fn cipher(secret: &[u8; 32]) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(secret.into())
}

/// Writes a backup.
pub(super) struct Writer {
    path: PathBuf,
    out: BufWriter<File>,
    seal: EncryptorBE32<XChaCha20Poly1305>,
    header: Header,
    /// Authenticated with every frame.
    front: Vec<u8>,
    clear: Vec<u8>,
    entries: u64,
    len_bytes: u64,
    photos: u64,
    photos_len_bytes: u64,
}

impl Writer {
    pub(super) fn create(
        path: &Path,
        header: &Header,
        secret: &[u8; 32],
        nonce: [u8; NONCE_LEN_BYTES],
    ) -> Result<Self, BackupError> {
        let failed = |source| BackupError::File { path: path.to_owned(), source };
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
        let body = super::encode(header);
        let front = [MAGIC, &(body.len() as u32).to_be_bytes(), &body, &nonce].concat();
        let mut out = BufWriter::new(file);
        out.write_all(&front).map_err(failed)?;
        let seal = EncryptorBE32::from_aead(cipher(secret), (&nonce).into());
        let (path, header) = (path.to_owned(), header.clone());
        let (clear, entries, len_bytes) = (Vec::new(), 0, 0);
        let (photos, photos_len_bytes) = (0, 0);
        Ok(Self { path, out, seal, header, front, clear, entries, len_bytes, photos, photos_len_bytes })
    }

    /// Adds an entry, `None` for one that was deleted after all.
    pub(super) fn entry(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), BackupError> {
        self.entries += 1;
        self.len_bytes += (key.len() + value.map_or(0, <[u8]>::len)) as u64;
        self.put(key, value)
    }

    fn put(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), BackupError> {
        let value_len = value.map_or(DELETED, |value| value.len() as u32);
        self.clear.extend_from_slice(&(key.len() as u32).to_be_bytes());
        self.clear.extend_from_slice(&value_len.to_be_bytes());
        self.clear.extend_from_slice(key);
        self.clear.extend_from_slice(value.unwrap_or_default());
        self.full_frames()
    }

    /// Adds the file of a photo as it lies there; nothing if it is gone.
    pub(super) fn photo(&mut self, path: &Path) -> Result<(), BackupError> {
        let failed = |source| BackupError::File { path: path.to_owned(), source };
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(failed(error)),
        };
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let key = [PHOTO, name.as_bytes()].concat();
        let mut piece = vec![0; PIECE_LEN_BYTES];
        loop {
            let len = file.read(&mut piece).map_err(failed)?;
            if len == 0 {
                break;
            }
            self.photos_len_bytes += len as u64;
            self.put(&key, Some(&piece[..len]))?;
        }
        self.photos += 1;
        Ok(())
    }

    /// Ends the file and makes it durable.
    pub(super) fn finish(mut self) -> Result<Contents, BackupError> {
        self.clear.extend_from_slice(&END.to_be_bytes());
        self.clear.extend_from_slice(&END.to_be_bytes());
        self.full_frames()?;
        let Self { path, mut out, seal, header, front, clear, .. } = self;
        let Self { entries, len_bytes, photos, photos_len_bytes, .. } = self;
        let sealed =
            seal.encrypt_last(Payload { msg: &clear, aad: &front }).map_err(|_| unsealable(&path))?;
        let failed = |source| BackupError::File { path: path.clone(), source };
        write_frame(&mut out, &sealed).map_err(failed)?;
        let file = out.into_inner().map_err(|error| failed(error.into_error()))?;
        file.sync_all().map_err(failed)?;
        let Header { number, made_ms, .. } = header;
        Ok(Contents { number, made_ms, entries, len_bytes, photos, photos_len_bytes })
    }

    fn full_frames(&mut self) -> Result<(), BackupError> {
        while self.clear.len() > FRAME_LEN_BYTES {
            let rest = self.clear.split_off(FRAME_LEN_BYTES);
            let frame = std::mem::replace(&mut self.clear, rest);
            let sealed = self.seal.encrypt_next(Payload { msg: &frame, aad: &self.front });
            let sealed = sealed.map_err(|_| unsealable(&self.path))?;
            let failed = |source| BackupError::File { path: self.path.clone(), source };
            write_frame(&mut self.out, &sealed).map_err(failed)?;
        }
        Ok(())
    }
}

/// Whether it names a file of a photo and nothing else.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn write_frame(out: &mut impl Write, sealed: &[u8]) -> io::Result<()> {
    out.write_all(&(sealed.len() as u32).to_be_bytes())?;
    out.write_all(sealed)
}

/// More than the construction allows: 2^32 frames.
fn unsealable(path: &Path) -> BackupError {
    BackupError::Damaged { path: path.to_owned(), at: 0, what: "it is too long to be sealed" }
}

/// Reads a backup.
pub(super) struct Reader {
    path: PathBuf,
    file: BufReader<File>,
    nonce: [u8; NONCE_LEN_BYTES],
    open: Option<DecryptorBE32<XChaCha20Poly1305>>,
    header: Header,
    front: Vec<u8>,
    /// Bytes of the file that were read, and how many there are.
    at: u64,
    len_bytes: u64,
    clear: Vec<u8>,
    used: usize,
}

impl Reader {
    pub(super) fn open(path: &Path) -> Result<Self, BackupError> {
        let failed = |source| BackupError::File { path: path.to_owned(), source };
        let file = File::open(path).map_err(failed)?;
        let len_bytes = file.metadata().map_err(failed)?.len();
        let mut file = BufReader::new(file);
        let foreign = || BackupError::Foreign { path: path.to_owned() };
        let mut front = vec![0; MAGIC.len() + 4];
        file.read_exact(&mut front).map_err(|_| foreign())?;
        let header_len =
            front.strip_prefix(MAGIC).and_then(|len| len.try_into().ok()).map(u32::from_be_bytes);
        let header_len = header_len.map(|len| len as usize).filter(|len| *len <= HEADER_LEN_BYTES_MAX);
        let begin = front.len();
        front.resize(begin + header_len.ok_or_else(foreign)? + NONCE_LEN_BYTES, 0);
        file.read_exact(&mut front[begin..]).map_err(|_| foreign())?;
        let (body, nonce) = front[begin..].split_at(front.len() - begin - NONCE_LEN_BYTES);
        let header: Header = postcard::from_bytes(body).map_err(|_| foreign())?;
        let nonce = nonce.try_into().map_err(|_| foreign())?;
        let at = front.len() as u64;
        Ok(Self {
            path: path.to_owned(),
            file,
            nonce,
            open: None,
            header,
            front,
            at,
            len_bytes,
            clear: Vec::new(),
            used: 0,
        })
    }

    /// Whether it is the key of this backup.
    pub(super) fn check(&self, key: &BackupKey) -> Result<(), BackupError> {
        match self.header == key.header {
            true => Ok(()),
            false => Err(BackupError::OtherKey { path: self.path.clone() }),
        }
    }

    /// Hands over all that it holds, in order: a later entry of the same key wins, pieces of a photo follow each
    /// other.
    pub(super) fn read(
        mut self,
        key: &BackupKey,
        mut each: impl FnMut(Entry<'_>) -> Result<(), BackupError>,
    ) -> Result<Contents, BackupError> {
        self.check(key)?;
        self.open = Some(DecryptorBE32::from_aead(cipher(&key.secret), (&self.nonce).into()));
        let (mut entries, mut len_bytes) = (0, 0);
        let (mut photos, mut photos_len_bytes) = (0, 0);
        let mut photo = Vec::new();
        loop {
            let key_len = self.length()?;
            let value_len = self.length()?;
            if key_len == END {
                break;
            }
            let value_len = (value_len != DELETED).then_some(value_len as usize);
            if key_len as usize > KEY_LEN_BYTES_MAX || value_len.is_some_and(|len| len > VALUE_LEN_BYTES_MAX)
            {
                return Err(self.damaged("an entry is too long"));
            }
            let key = self.take(key_len as usize)?;
            let value = value_len.map(|len| self.take(len)).transpose()?;
            if let (Some(name), Some(piece)) = (key.strip_prefix(PHOTO), &value) {
                let name = std::str::from_utf8(name).ok().filter(|name| is_plain(name));
                each(Entry::Photo(name.ok_or_else(|| self.damaged("a photo has no name"))?, piece))?;
                photos += u64::from(photo != key);
                photos_len_bytes += piece.len() as u64;
                photo = key;
                continue;
            }
            each(Entry::Stored(&key, value.as_deref()))?;
            entries += 1;
            len_bytes += (key.len() + value.map_or(0, |value| value.len())) as u64;
        }
        if self.open.is_some() || self.used != self.clear.len() || self.at != self.len_bytes {
            return Err(self.damaged("something follows its end"));
        }
        let Header { number, made_ms, .. } = self.header;
        Ok(Contents { number, made_ms, entries, len_bytes, photos, photos_len_bytes })
    }

    fn length(&mut self) -> Result<u32, BackupError> {
        let bytes = self.take(4)?;
        bytes.try_into().map(u32::from_be_bytes).map_err(|_| self.damaged("a length is missing"))
    }

    fn take(&mut self, len: usize) -> Result<Vec<u8>, BackupError> {
        while self.clear.len() - self.used < len {
            self.frame()?;
        }
        let taken = self.clear[self.used..self.used + len].to_vec();
        self.used += len;
        Ok(taken)
    }

    fn frame(&mut self) -> Result<(), BackupError> {
        let mut len = [0; 4];
        self.file.read_exact(&mut len).map_err(|_| self.damaged("it ends too early"))?;
        let len = u32::from_be_bytes(len) as usize;
        if len > FRAME_LEN_BYTES + SEAL_LEN_BYTES {
            return Err(self.damaged("a frame is too long"));
        }
        let mut sealed = vec![0; len];
        self.file.read_exact(&mut sealed).map_err(|_| self.damaged("it ends too early"))?;
        let next_at = self.at + 4 + len as u64;
        let payload = Payload { msg: &sealed, aad: &self.front };
        let clear = match self.open.take() {
            // The frame that the file ends with must say that it is the last.
            Some(open) if next_at == self.len_bytes => open.decrypt_last(payload),
            Some(mut open) => {
                let clear = open.decrypt_next(payload);
                self.open = Some(open);
                clear
            }
            None => return Err(self.damaged("it ends too early")),
        };
        let clear = clear.map_err(|_| self.damaged("a frame does not open"))?;
        self.at = next_at;
        self.clear.drain(..self.used);
        self.used = 0;
        self.clear.extend_from_slice(&clear);
        Ok(())
    }

    fn damaged(&self, what: &'static str) -> BackupError {
        BackupError::Damaged { path: self.path.clone(), at: self.at, what }
    }
}
