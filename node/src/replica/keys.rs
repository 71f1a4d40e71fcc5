//! Where things stand in the store. One tree, so that a batch over several kinds of records is atomic.

use wangge_model::checkpoint::{Cursor, class_of};
use wangge_model::identity::{DocId, Hash, LogId, ReplicaId, Scope};
use wangge_model::photo::PhotoId;
use wangge_model::schema::Kind;
use wangge_model::sealed::Series;
use wangge_model::transaction::ScopeSecret;

/// Who this replica is.
pub(crate) const PROFILE: &[u8] = b"mprofile";
/// The same once more, should the first not open.
pub(crate) const PROFILE_COPY: &[u8] = b"mprofile-copy";
/// Scopes that were taken away and whose records are being destroyed.
pub(crate) const LEAVING: &[u8] = b"mleaving";

fn scoped(tag: u8, scope: &Scope) -> Vec<u8> {
    let mut key = vec![tag];
    key.extend_from_slice(scope.to_string().as_bytes());
    key.push(0);
    key
}

fn positioned(tag: u8, scope: &Scope, log: &LogId, seq: u64) -> Vec<u8> {
    let mut key = logged(tag, scope, log);
    key.extend_from_slice(&seq.to_be_bytes());
    key
}

fn logged(tag: u8, scope: &Scope, log: &LogId) -> Vec<u8> {
    let mut key = scoped(tag, scope);
    key.extend_from_slice(&log.0);
    key
}

/// Ends of the logs of a scope.
pub(crate) fn tips(scope: &Scope) -> Vec<u8> {
    scoped(b'T', scope)
}

/// Ends of the logs of all scopes.
pub(crate) const TIPS: &[u8] = b"T";

/// The scope of a scoped record's key.
pub(crate) fn scope_of(key: &[u8]) -> Option<Scope> {
    let name = key.get(1..)?.split(|byte| *byte == 0).next()?;
    std::str::from_utf8(name).ok()?.parse().ok()
}

/// The end of one log.
pub(crate) fn tip(scope: &Scope, log: &LogId) -> Vec<u8> {
    logged(b'T', scope, log)
}

/// One transaction.
pub(crate) fn record(scope: &Scope, log: &LogId, seq: u64) -> Vec<u8> {
    positioned(b'L', scope, log, seq)
}

/// Transactions of one log.
pub(crate) fn records(scope: &Scope, log: &LogId) -> Vec<u8> {
    logged(b'L', scope, log)
}

/// Transactions of one log after a damaged one, put aside until a peer delivers what is missing.
pub(crate) fn asides(scope: &Scope, log: &LogId) -> Vec<u8> {
    logged(b'l', scope, log)
}

/// One of them.
pub(crate) fn aside(scope: &Scope, log: &LogId, seq: u64) -> Vec<u8> {
    positioned(b'l', scope, log, seq)
}

/// Those of all logs of a scope.
pub(crate) fn all_asides(scope: &Scope) -> Vec<u8> {
    scoped(b'l', scope)
}

/// Transactions of all logs of a scope.
pub(crate) fn all_records(scope: &Scope) -> Vec<u8> {
    scoped(b'L', scope)
}

/// Transactions of a scope that the centre was not heard to have, once more: whole under one key of the scope, not each
/// part under its document's, so that no single damage takes both.
pub(crate) fn spares(scope: &Scope) -> Vec<u8> {
    scoped(b's', scope)
}

/// One of them.
pub(crate) fn spare(scope: &Scope, log: &LogId, seq: u64) -> Vec<u8> {
    positioned(b's', scope, log, seq)
}

/// That a document was erased.
pub(crate) fn erased(doc: &DocId) -> Vec<u8> {
    [ERASED, &doc.0].concat()
}

/// Documents that were erased.
pub(crate) const ERASED: &[u8] = b"e";

/// How far each log has taken effect.
pub(crate) fn applied(scope: &Scope) -> Vec<u8> {
    scoped(b'A', scope)
}

/// The ends of the logs of the checkpoint that this replica began from: what is seen of a log that has not grown
/// since is told by them.
pub(crate) fn floors(scope: &Scope) -> Vec<u8> {
    scoped(b'F', scope)
}

/// Where a log began that came in pages.
pub(crate) fn began(scope: &Scope, log: &LogId) -> Vec<u8> {
    logged(b'G', scope, log)
}

/// What this replica's own log has reported as seen.
pub(crate) fn reported(scope: &Scope) -> Vec<u8> {
    scoped(b'S', scope)
}

/// Whether all of the scope is held, and the checkpoint that is coming in.
pub(crate) fn completeness(scope: &Scope) -> Vec<u8> {
    scoped(b'K', scope)
}

/// Void positions.
pub(crate) fn voids(scope: &Scope) -> Vec<u8> {
    scoped(b'X', scope)
}

/// One void position.
pub(crate) fn void(scope: &Scope, log: &LogId, seq: u64) -> Vec<u8> {
    positioned(b'X', scope, log, seq)
}

/// How far the relay has decided, per log.
pub(crate) fn decided(scope: &Scope, log: &LogId) -> Vec<u8> {
    logged(b'V', scope, log)
}

/// When the relay observed the positions of a log up to `seq`, from the decision before on.
pub(crate) fn observed(scope: &Scope, log: &LogId, seq: u64) -> Vec<u8> {
    positioned(b'O', scope, log, seq)
}

/// The position of an entry of [`observations`].
pub(crate) fn seq_of_observed(key: &[u8]) -> Option<u64> {
    let seq = key.get(key.len().checked_sub(8)?..)?;
    Some(u64::from_be_bytes(seq.try_into().ok()?))
}

/// When the relay observed positions of a log.
pub(crate) fn observations(scope: &Scope, log: &LogId) -> Vec<u8> {
    logged(b'O', scope, log)
}

/// Decisions of a scope.
pub(crate) fn decisions(scope: &Scope) -> Vec<u8> {
    scoped(b'V', scope)
}

/// Up to where, per log, a backup of the centre holds what the relay decided.
pub(crate) fn backed(scope: &Scope) -> Vec<u8> {
    scoped(b'B', scope)
}

/// Set while the relay is known to lack part of its own logs: it was put back to an earlier state.
pub(crate) fn rolled_back(scope: &Scope) -> Vec<u8> {
    scoped(b'b', scope)
}

/// Documents of a scope, in the order of pages.
pub(crate) fn documents(scope: &Scope) -> Vec<u8> {
    scoped(b'D', scope)
}

/// One document.
pub(crate) fn document(scope: &Scope, kind: Kind, doc: &DocId) -> Vec<u8> {
    document_at(scope, &Cursor { class: class_of(kind), doc: *doc })
}

/// The document at a cursor.
pub(crate) fn document_at(scope: &Scope, cursor: &Cursor) -> Vec<u8> {
    let mut key = documents(scope);
    key.push(cursor.class);
    key.extend_from_slice(&cursor.doc.0);
    key
}

/// The cursor of a document's key.
pub(crate) fn cursor_of(key: &[u8]) -> Option<Cursor> {
    let at = key.len().checked_sub(17)?;
    Some(Cursor { class: *key.get(at)?, doc: DocId::from_slice(&key[at + 1..])? })
}

/// Views of one kind of documents of a scope.
pub(crate) fn views(scope: &Scope, kind: Kind) -> Vec<u8> {
    let mut key = scoped(b'W', scope);
    key.push(kind.0);
    key
}

/// The view of one document.
pub(crate) fn view(scope: &Scope, kind: Kind, doc: &DocId) -> Vec<u8> {
    let mut key = views(scope, kind);
    key.extend_from_slice(&doc.0);
    key
}

/// The document of a view's key.
pub(crate) fn doc_of_view(key: &[u8]) -> Option<DocId> {
    DocId::from_slice(key.get(key.len().checked_sub(16)?..)?)
}

/// All views.
pub const VIEWS: &[u8] = b"W";

/// In which form the views are stored.
pub(crate) const VIEW_FORMAT: &[u8] = b"mviews";

/// The signed start of the checkpoint that this replica began from, kept for others who need it.
pub(crate) fn kept_start(scope: &Scope) -> Vec<u8> {
    scoped(b'Y', scope)
}

/// Its pages.
pub(crate) fn kept_pages(scope: &Scope) -> Vec<u8> {
    scoped(b'y', scope)
}

/// One of its pages, by its end; the last one has none.
pub(crate) fn kept_page(scope: &Scope, end: Option<&Cursor>) -> Vec<u8> {
    let mut key = kept_pages(scope);
    match end {
        Some(cursor) => {
            key.push(cursor.class);
            key.extend_from_slice(&cursor.doc.0);
        }
        None => key.push(0xff),
    }
    key
}

/// The document that holds a natural key now: by a keyed hash, as keys are not encrypted.
pub(crate) fn natural(scope: &Scope, secret: &ScopeSecret, kind: Kind, number: &str) -> Vec<u8> {
    let mut hasher = blake3::Hasher::new_keyed(&secret.0);
    hasher.update(b"natural index");
    hasher.update(&[kind.0]);
    hasher.update(number.as_bytes());
    let mut key = scoped(b'N', scope);
    key.push(kind.0);
    key.extend_from_slice(&hasher.finalize().as_bytes()[..16]);
    key
}

fn photo(tag: u8, photo: &PhotoId) -> Vec<u8> {
    let mut key = scoped(tag, &photo.scope);
    key.extend_from_slice(&photo.doc.0);
    key.extend_from_slice(&photo.hash.0);
    key
}

/// That a record names a photo.
pub(crate) fn photo_named(id: &PhotoId) -> Vec<u8> {
    photo(b'f', id)
}

/// Photos that records of a scope name.
pub(crate) fn photos_named(scope: &Scope) -> Vec<u8> {
    scoped(b'f', scope)
}

/// What is kept of a photo.
pub(crate) fn photo_kept(id: &PhotoId) -> Vec<u8> {
    photo(b'h', id)
}

/// What is kept of photos of a scope.
pub(crate) fn photos_kept(scope: &Scope) -> Vec<u8> {
    scoped(b'h', scope)
}

/// That a photo was destroyed by an order of erasure.
pub(crate) fn photo_gone(id: &PhotoId) -> Vec<u8> {
    photo(b'j', id)
}

/// The photo of a key of these three.
pub(crate) fn photo_of(key: &[u8]) -> Option<PhotoId> {
    let (doc, hash) = key.get(key.len().checked_sub(48)?..)?.split_at_checked(16)?;
    Some(PhotoId { scope: scope_of(key)?, doc: DocId::from_slice(doc)?, hash: Hash(hash.try_into().ok()?) })
}

/// Documents as they were shown, to be written once more because their log was damaged.
pub(crate) fn reissued(scope: &Scope) -> Vec<u8> {
    scoped(b'J', scope)
}

/// All records of a scope, by their beginnings.
pub(crate) fn all_of(scope: &Scope) -> Vec<Vec<u8>> {
    b"TLlsASKXEVOBbDdWYyNJFGfhj".iter().map(|tag| scoped(*tag, scope)).collect()
}

/// Documents that were taken away because they did not open, until what made them is back.
pub(crate) fn all_lacking(scope: &Scope) -> Vec<u8> {
    scoped(b'd', scope)
}

/// One of them.
pub(crate) fn lacking(scope: &Scope, doc: &DocId) -> Vec<u8> {
    [&all_lacking(scope)[..], &doc.0].concat()
}

/// What a peer has of a scope.
pub(crate) fn remembered(peer: &ReplicaId, scope: &Scope) -> Vec<u8> {
    let mut key = remembered_of(peer);
    key.extend_from_slice(scope.to_string().as_bytes());
    key
}

/// What a peer has.
pub(crate) fn remembered_of(peer: &ReplicaId) -> Vec<u8> {
    let mut key = b"P".to_vec();
    key.extend_from_slice(&peer.0);
    key
}

/// All that is remembered of peers.
pub(crate) const REMEMBERED: &[u8] = b"P";

/// When the centre was last met.
pub(crate) const MET: &[u8] = b"mmet";

/// What befell this replica.
pub(crate) const PAST: &[u8] = b"mpast";

/// When all that is stored was last examined.
pub(crate) const EXAMINED: &[u8] = b"mexamined";

/// When all was last compared with a peer.
pub(crate) fn compared(peer: &ReplicaId) -> Vec<u8> {
    [b"c".as_slice(), &peer.0].concat()
}

/// At the centre: the scope in which it first met a document of this id.
pub(crate) fn home(doc: &DocId) -> Vec<u8> {
    [b"H".as_slice(), &doc.0].concat()
}

/// The centre's audit chain.
pub(crate) const AUDIT: &[u8] = b"U";

/// One link of it.
pub(crate) fn audit(seq: u64) -> Vec<u8> {
    [AUDIT, &seq.to_be_bytes()].concat()
}

/// The end of the audit chain, signed.
pub(crate) const AUDIT_END: &[u8] = b"u";

/// Messages that wait to be sealed until the centre's key is known.
pub(crate) const UNSEALED: &[u8] = b"Q";

/// One of them.
pub(crate) fn unsealed(at: u64) -> Vec<u8> {
    [UNSEALED, &at.to_be_bytes()].concat()
}

/// The series in which this replica seals.
pub(crate) const SEALING: &[u8] = b"q";

/// The ends of all series of sealed cells.
pub(crate) const SEALED_ENDS: &[u8] = b"z";

fn of_series(tag: &[u8], series: &Series) -> Vec<u8> {
    [tag, &series.replica.0, &series.number.to_be_bytes()].concat()
}

/// The end of one series.
pub(crate) fn sealed_end(series: &Series) -> Vec<u8> {
    of_series(SEALED_ENDS, series)
}

/// How far the centre has opened a series: written beside the intake, so apart from its end.
pub(crate) fn opened(series: &Series) -> Vec<u8> {
    of_series(b"o", series)
}

/// The cells of one series.
pub(crate) fn cells(series: &Series) -> Vec<u8> {
    of_series(b"Z", series)
}

/// One cell.
pub(crate) fn cell(series: &Series, seq: u64) -> Vec<u8> {
    [cells(series).as_slice(), &seq.to_be_bytes()].concat()
}

/// Runs of sealed cells that this replica carries for others.
pub(crate) const CARRIED: &[u8] = b"C";

/// Runs of one series.
pub(crate) fn carried_of(series: &Series) -> Vec<u8> {
    of_series(CARRIED, series)
}

/// One run, by its first cell.
pub(crate) fn carried(series: &Series, from: u64) -> Vec<u8> {
    [carried_of(series).as_slice(), &from.to_be_bytes()].concat()
}

/// How many ledgers this replica has exported.
pub(crate) const EXPORTS: &[u8] = b"E";

/// Records that the relay alone keeps.
pub fn relay_only(name: &str) -> Vec<u8> {
    [b"R", name.as_bytes()].concat()
}

/// Where the records lie that an edit of one document writes: for measurements.
pub fn written(scope: &Scope, log: &LogId, seq: u64, kind: Kind, doc: &DocId) -> [Vec<u8>; 6] {
    [
        record(scope, log, seq),
        spare(scope, log, seq),
        tip(scope, log),
        applied(scope),
        document(scope, kind, doc),
        view(scope, kind, doc),
    ]
}
