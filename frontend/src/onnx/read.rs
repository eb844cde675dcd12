//! From bytes to messages, in bounded memory: the file's size and the memory that its messages would decode to are checked
//! first, and external data is read only below the model's own folder.

use super::fault::{Res, malformed};
use super::proto::ModelProto;
use netfold_ir::diag::{Code, Diag};
use prost::Message;
use prost::bytes::Buf;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path};

/// Largest model file, in bytes.
pub(super) const MAX_FILE_BYTES: u64 = 256 << 20;
/// Largest memory that the messages of a file may decode to, in bytes.
const MAX_DECODED_BYTES: u64 = 1 << 30;

/// Reads a model file, refusing anything that is not a regular file of a sensible size.
pub(super) fn read_file(path: &Path) -> Result<Vec<u8>, Diag> {
    let place = path.display().to_string();
    let io = |e: std::io::Error| Diag::new(Code::Io, &place, format!("cannot read the file: {e}"));
    let file = File::open(path).map_err(io)?;
    let meta = file.metadata().map_err(io)?;
    if !meta.is_file() {
        return Err(Diag::new(Code::Io, &place, "not a regular file"));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(meta.len().min(MAX_FILE_BYTES)).unwrap_or(0));
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(too_large(&place));
    }
    Ok(bytes)
}

/// The error for files above [`MAX_FILE_BYTES`].
fn too_large(place: &str) -> Diag {
    Diag::new(Code::Format, place, format!("the model file is larger than {} MiB", MAX_FILE_BYTES >> 20))
}

/// Decodes a model.
pub(super) fn decode(bytes: &[u8], place: &str) -> Result<ModelProto, Diag> {
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(too_large(place));
    }
    let fail = |what: String| {
        Diag::new(Code::Format, place, format!("not a valid ONNX file: {what}"))
            .help("the file may be truncated, or not be ONNX at all")
    };
    let mut budget = MAX_DECODED_BYTES;
    measure(bytes, Kind::Model, &mut budget).map_err(|e| fail(e.to_string()))?;
    ModelProto::decode(bytes).map_err(|e| fail(e.to_string()))
}

/// Message types, as far as the size of their decoded form matters.
#[derive(Clone, Copy)]
enum Kind {
    Model,
    Graph,
    Node,
    Attribute,
    Tensor,
    ValueInfo,
    Type,
    TensorType,
    Shape,
    /// Messages of a few strings and numbers.
    Leaf,
}

/// What a length-delimited field decodes to.
enum Field {
    Message(Kind),
    /// Text or bytes: its own length.
    Bytes,
    /// Packed variable-length integers: up to eight bytes a byte.
    Varints,
    /// Skipped by the decoder.
    Skipped,
}

impl Kind {
    /// How the decoder treats field `tag` of this message.
    fn field(self, tag: u32) -> Field {
        use Field::{Bytes, Message, Skipped, Varints};
        match (self, tag) {
            (Kind::Model, 7) => Message(Kind::Graph),
            (Kind::Model, 8) | (Kind::Tensor, 13) | (Kind::Shape, 1) => Message(Kind::Leaf),
            (Kind::Graph, 1) => Message(Kind::Node),
            (Kind::Graph, 5) | (Kind::Attribute, 5) => Message(Kind::Tensor),
            (Kind::Graph, 11 | 12) => Message(Kind::ValueInfo),
            (Kind::Node, 5) => Message(Kind::Attribute),
            (Kind::ValueInfo, 2) => Message(Kind::Type),
            (Kind::Type, 1) => Message(Kind::TensorType),
            (Kind::TensorType, 2) => Message(Kind::Shape),
            (Kind::Attribute, 8) | (Kind::Tensor, 1 | 5 | 7 | 11) => Varints,
            (Kind::Graph, 2)
            | (Kind::Node, 1..=4 | 7)
            | (Kind::Attribute, 1 | 4 | 7 | 9)
            | (Kind::Tensor, 4 | 8 | 9 | 10)
            | (Kind::ValueInfo, 1)
            | (Kind::Leaf, 1 | 2) => Bytes,
            _ => Skipped,
        }
    }
}

/// Subtracts an upper bound of the decoded size of one message from `budget`. Nesting is bounded by [`Kind`]: no message type
/// that is followed can contain itself.
fn measure(mut bytes: &[u8], kind: Kind, budget: &mut u64) -> Result<(), prost::DecodeError> {
    const MESSAGE_BYTES: u64 = 320;
    let spend = |budget: &mut u64, n: u64| match budget.checked_sub(n) {
        Some(rest) => {
            *budget = rest;
            Ok(())
        }
        None =>
        {
            #[allow(deprecated)]
            Err(prost::DecodeError::new("the messages would take too much memory"))
        }
    };
    spend(budget, MESSAGE_BYTES)?;
    while bytes.has_remaining() {
        let (tag, wire) = decode_key(&mut bytes)?;
        if wire != WireType::LengthDelimited {
            spend(budget, 8)?;
            skip_field(wire, tag, &mut bytes, DecodeContext::default())?;
            continue;
        }
        let len = decode_varint(&mut bytes)?;
        let Some(content) = usize::try_from(len).ok().and_then(|n| bytes.get(..n)) else {
            #[allow(deprecated)]
            return Err(prost::DecodeError::new("a field is longer than the file"));
        };
        match kind.field(tag) {
            Field::Message(inner) => measure(content, inner, budget)?,
            Field::Bytes => spend(budget, 32 + len)?,
            Field::Varints => spend(budget, 8 * len)?,
            Field::Skipped => {}
        }
        bytes.advance(content.len());
    }
    Ok(())
}

/// Reads `length` bytes of external data. The error has no place; the caller names the tensor.
///
/// `location` must be a relative path without `..` that, symbolic links resolved, stays below `base`.
pub(super) fn external(base: Option<&Path>, location: &str, offset: u64, length: u64) -> Res<Vec<u8>> {
    let base = base.ok_or_else(|| malformed("external data needs the model's own folder, which is not known here"))?;
    let relative = Path::new(location);
    let plain = relative.components().all(|c| matches!(c, Component::Normal(_) | Component::CurDir));
    if location.is_empty() || !plain || location.contains(['\0', '\\']) {
        return Err(malformed(format!("external data {location:?} is not a plain relative path")));
    }
    let io = |e: std::io::Error| malformed(format!("cannot read external data {location:?}: {e}"));
    let base = base.canonicalize().map_err(io)?;
    let path = base.join(relative).canonicalize().map_err(io)?;
    if !path.starts_with(&base) {
        return Err(malformed(format!("external data {location:?} lies outside of the model's folder")));
    }
    // Checked before opening: opening a pipe would wait for its writer.
    if !path.metadata().map_err(io)?.is_file() {
        return Err(malformed(format!("external data {location:?} is not a regular file")));
    }
    let mut file = File::open(&path).map_err(io)?;
    let available = file.metadata().map_err(io)?.len();
    if offset.checked_add(length).is_none_or(|end| end > available) {
        return Err(malformed(format!(
            "external data {location:?} has {available} bytes, but {length} bytes from offset {offset} are needed"
        )));
    }
    file.seek(SeekFrom::Start(offset)).map_err(io)?;
    let mut bytes = vec![0; usize::try_from(length).map_err(|_| malformed("external data is too large"))?];
    file.read_exact(&mut bytes).map_err(io)?;
    Ok(bytes)
}
