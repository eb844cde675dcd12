//! The model file: `NFSM`, a format version (u16), a JSON header (u32 length), the bin edges, the trees, and the first
//! 16 bytes of the Blake3 hash of all before. Numbers are little-endian. A tree node takes two bytes (column, bin), a
//! leaf five (255, value as f32); nodes stand in depth-first order, left before right.

use super::tree::{Bins, LEAF, MAX_BINS, MAX_FEATURES, Node, Tree};
use super::{Provenance, Surrogate, TargetModel};
use crate::features::Schema;
use netfold_ir::diag::{Code, Diag};
use serde::{Deserialize, Serialize};

const MAGIC: &[u8; 4] = b"NFSM";
const VERSION: u16 = 1;
const HASH: usize = 16;
const LEAF_MARK: u8 = 255;
/// Trees of one target, or nodes of one tree, that a file may claim.
const MOST: usize = 1 << 22;

#[derive(Serialize, Deserialize)]
struct Header {
    schema: Schema,
    provenance: Provenance,
    ranges: Vec<(f32, f32)>,
    targets: Vec<TargetModel>,
}

/// Serialises a model.
///
/// # Errors
/// When the header cannot be written as JSON (a number that is not finite).
pub fn to_bytes(model: &Surrogate) -> Result<Vec<u8>, Diag> {
    let header = Header {
        schema: model.schema.clone(),
        provenance: model.provenance.clone(),
        ranges: model.ranges.clone(),
        targets: model.targets.clone(),
    };
    let json = serde_json::to_vec(&header).map_err(|e| Diag::internal("model file", e.to_string()))?;
    let mut out = Vec::new();
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&VERSION.to_le_bytes());
    out.extend_from_slice(&(json.len() as u32).to_le_bytes());
    out.extend_from_slice(&json);
    for edges in &model.bins.edges {
        out.push(edges.len() as u8);
        for e in edges {
            out.extend_from_slice(&e.to_le_bytes());
        }
    }
    for target in &model.targets {
        for trees in [&target.boosted, &target.extra, &target.difficulty] {
            out.extend_from_slice(&(trees.len() as u32).to_le_bytes());
            for tree in trees {
                for node in &tree.nodes {
                    if node.column == LEAF {
                        out.push(LEAF_MARK);
                        out.extend_from_slice(&node.value.to_le_bytes());
                    } else {
                        out.push(node.column);
                        out.push(node.bin);
                    }
                }
            }
        }
    }
    let hash = blake3::hash(&out);
    out.extend_from_slice(&hash.as_bytes()[..HASH]);
    Ok(out)
}

/// Reads a model; `place` names its file in errors.
///
/// # Errors
/// When the bytes are not a model of this version, are damaged or contradict themselves.
pub fn from_bytes(bytes: &[u8], place: &str) -> Result<Surrogate, Diag> {
    let bad = |cause: &str| {
        Diag::new(Code::Format, place, cause.to_string())
            .help("make it again with `netfold surrogate train` or `adapt` of this version")
    };
    if !bytes.starts_with(MAGIC) {
        return Err(bad("this is not a surrogate model"));
    }
    let Some(body_len) = bytes.len().checked_sub(HASH).filter(|&n| n > 10) else {
        return Err(bad("the model file is cut short"));
    };
    let (body, hash) = bytes.split_at(body_len);
    let version = u16::from_le_bytes([body[4], body[5]]);
    if version != VERSION {
        return Err(bad(&format!("the model file has format version {version}, this netfold reads {VERSION}")));
    }
    if &blake3::hash(body).as_bytes()[..HASH] != hash {
        return Err(bad("the model file is damaged: its checksum differs"));
    }
    let mut r = Reader { bytes: body, at: 6 };
    read_body(&mut r).ok_or_else(|| bad("the model file contradicts itself"))
}

fn read_body(r: &mut Reader) -> Option<Surrogate> {
    let len = r.u32()? as usize;
    let header: Header = serde_json::from_slice(r.take(len)?).ok()?;
    let columns = header.schema.len();
    if columns > MAX_FEATURES || header.schema.inputs.len() != columns || header.ranges.len() != columns {
        return None;
    }
    let mut bins = Bins::default();
    for _ in 0..columns {
        let n = usize::from(r.u8()?);
        let value = |b: &[u8]| Some(f32::from_le_bytes(b.try_into().ok()?));
        let mut edges = Vec::with_capacity(n);
        for bytes in r.take(4 * n)?.chunks_exact(4) {
            edges.push(value(bytes)?);
        }
        if edges.len() >= MAX_BINS || edges.windows(2).any(|w| w[0].partial_cmp(&w[1]).is_none_or(|o| o.is_gt())) {
            return None;
        }
        bins.edges.push(edges);
    }
    let mut targets = header.targets;
    let mut room = Room::default();
    for target in &mut targets {
        for list in [&mut target.boosted, &mut target.extra, &mut target.difficulty] {
            let n = r.u32()? as usize;
            if n > MOST {
                return None;
            }
            list.reserve_exact(n.min(r.left()));
            for _ in 0..n {
                list.push(read_tree(r, &bins, &mut room)?);
            }
        }
    }
    if r.at != r.bytes.len() {
        return None;
    }
    Some(Surrogate { schema: header.schema, provenance: header.provenance, ranges: header.ranges, targets, bins })
}

/// Room for a tree that is read.
#[derive(Default)]
struct Room {
    tree: Tree,
    /// Tests whose right side is still to come.
    open: Vec<usize>,
}

fn read_tree(r: &mut Reader, bins: &Bins, room: &mut Room) -> Option<Tree> {
    let Room { tree, open } = room;
    tree.nodes.clear();
    open.clear();
    loop {
        let mark = r.u8()?;
        if tree.nodes.len() >= MOST {
            return None;
        }
        if mark != LEAF_MARK {
            let bin = r.u8()?;
            let value = *bins.edges.get(usize::from(mark))?.get(usize::from(bin))?;
            open.push(tree.nodes.len());
            tree.nodes.push(Node { column: mark, bin, right: 0, value });
            continue;
        }
        let value = r.f32()?;
        tree.push_leaf(value);
        let Some(parent) = open.pop() else { return Some(tree.clone()) };
        tree.nodes[parent].right = tree.nodes.len() as u32;
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(n)?;
        let part = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(part)
    }

    /// Bytes that are left.
    fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    fn u8(&mut self) -> Option<u8> {
        self.take(1).map(|b| b[0])
    }

    fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    fn f32(&mut self) -> Option<f32> {
        Some(f32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }
}
