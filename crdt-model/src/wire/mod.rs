//! What travels between replicas. Every count and length has a limit that is checked before memory is
//! taken for it; bytes that do not fit give an error and never a panic.

mod batch;
mod bytes;
mod frame;
mod page;
mod scope;

pub use batch::{
    BATCH_LEN_BYTES_MAX, BATCH_TRANSACTIONS_MAX, RUN_TRANSACTIONS_MAX, decode_batch, encode_batch,
};
pub use bytes::WireError;
pub use frame::{
    Acknowledged, CheckpointStart, FRAME_LEN_BYTES_MAX, Frame, FrameBuffer, Hello, Join, Joined,
    PROTOCOL_VERSION, ScopeClock, Summary, acknowledged,
};
pub use page::{PAGE_DOCUMENTS_MAX, PageChange, PageDocument, decode_page, encode_page};
