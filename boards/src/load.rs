//! Reading and checking a board file.

use crate::{Board, Memory};
use netfold_ir::diag::{Code, Diag, nearest};
use std::io::Read;
use std::path::Path;

/// Longest board file, in bytes.
const MAX_BYTES: u64 = 64 * 1024;

/// Reads and checks the file at `path`.
pub(crate) fn file(path: &Path) -> Result<Board, Diag> {
    let place = path.display().to_string();
    let io = |e: std::io::Error| {
        Diag::new(Code::Io, &*place, format!("the board file cannot be read: {e}"))
            .help("`netfold boards` lists the boards that need no file")
    };
    let mut text = String::new();
    let read = std::fs::File::open(path).and_then(|f| f.take(MAX_BYTES + 1).read_to_string(&mut text));
    match read {
        Err(e) if e.kind() == std::io::ErrorKind::InvalidData => {
            Err(Diag::new(Code::Format, place, "the board file is not UTF-8 text"))
        }
        Err(e) => Err(io(e)),
        Ok(n) if n as u64 > MAX_BYTES => {
            Err(Diag::new(Code::Format, place, format!("the board file is longer than {MAX_BYTES} bytes")))
        }
        Ok(_) => parse(&place, &text),
    }
}

/// Parses and checks the text of a board file; `file` is its name in messages.
pub(crate) fn parse(file: &str, text: &str) -> Result<Board, Diag> {
    let board: Board = serde_yaml::from_str(text).map_err(|e| describe(file, &e))?;
    check(file, text, &board)?;
    Ok(board)
}

/// Turns serde's message into one with the file, the line, and the nearest valid name.
pub(crate) fn describe(file: &str, error: &serde_yaml::Error) -> Diag {
    let place = match error.location() {
        Some(at) => format!("{file}, line {}", at.line()),
        None => file.to_string(),
    };
    let message = error.to_string();
    let message = message.split(" at line ").next().unwrap_or_default();
    let mut quoted = message.split('`').skip(1).step_by(2);
    let diag = Diag::new(Code::Config, place, message);
    if !message.contains("unknown field") && !message.contains("unknown variant") {
        return diag.help("docs/adding-a-board.md lists the keys of a board file and their values");
    }
    let word = quoted.next().unwrap_or_default().to_string();
    let valid: Vec<&str> = quoted.collect();
    match nearest(&word, valid.iter().copied()) {
        Some(near) => diag.help(format!("did you mean {near:?}?")),
        None => diag.help(format!("valid here: {}", valid.join(", "))),
    }
}

/// Line of the first occurrence of `key` in the text, for messages about values.
fn place_of(file: &str, text: &str, key: &str) -> String {
    let at = text.lines().position(|l| {
        let mut rest = l.split('#').next().unwrap_or_default();
        while let Some(i) = rest.find(key) {
            let before = rest[..i].chars().next_back();
            rest = &rest[i + key.len()..];
            let starts = before.is_none_or(|c| !c.is_alphanumeric() && c != '_');
            if starts && rest.trim_start().starts_with(':') {
                return true;
            }
        }
        false
    });
    match at {
        Some(n) => format!("{file}, line {}, key {key:?}", n + 1),
        None => format!("{file}, key {key:?}"),
    }
}

/// Whether `text` is safe as a name in every file that netfold writes.
fn is_name(text: &str, extra: &str) -> bool {
    (1..=64).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || extra.contains(c))
}

/// Value ranges that serde's types do not express.
fn check(file: &str, text: &str, board: &Board) -> Result<(), Diag> {
    let refuse = |key: &str, cause: String| Err(Diag::new(Code::Config, place_of(file, text, key), cause));
    let count = |key: &str, n: u64, least: u64| {
        if (least..=100_000_000).contains(&n) {
            Ok(())
        } else {
            refuse(key, format!("{n} is outside {least} to 100000000"))
        }
    };
    if !is_name(&board.name, "._-+/") {
        return refuse("name", "a name is 1 to 64 letters, digits, '.', '_', '-', '+' or '/'".into());
    }
    if !is_name(&board.part, "._-+/") {
        return refuse("part", "an ordering code is 1 to 64 letters, digits, '.', '_', '-', '+' or '/'".into());
    }
    if board.description.chars().count() > 200 || board.description.chars().any(char::is_control) {
        return refuse("description", "a description is one line of at most 200 characters".into());
    }
    if board.vendor != board.family.vendor() {
        return refuse("vendor", format!("the family {} is of another vendor", board.family.as_str()));
    }
    let clocks = [("clock_mhz", Some(board.clock_mhz)), ("mhz", board.clock_source.as_ref().map(|c| c.mhz))];
    for (key, mhz) in clocks {
        if let Some(mhz) = mhz
            && !(0.001..=2000.0).contains(&mhz)
        {
            return refuse(key, format!("{mhz} MHz is outside 0.001 to 2000"));
        }
    }
    if let Some(clock) = &board.clock_source {
        for (key, pin) in [("pin", Some(&clock.pin)), ("pin_n", clock.pin_n.as_ref())] {
            if pin.is_some_and(|p| !is_name(p, "_-")) {
                return refuse(key, "a pin is letters, digits, '_' or '-'".into());
            }
        }
    }
    let r = &board.resources;
    count("lut", r.lut, 1)?;
    count("ff", r.ff, 1)?;
    if ![4, 5, 6].contains(&r.lut_inputs) {
        return refuse("lut_inputs", format!("{} is none of 4, 5, 6", r.lut_inputs));
    }
    if let Some(dsp) = &r.dsp {
        count("dsp", dsp.count, 0)?;
        let widths = [("a_bits", dsp.a_bits), ("b_bits", dsp.b_bits), ("accumulator_bits", dsp.accumulator_bits)];
        for (key, bits) in widths {
            if !(2..=128).contains(&bits) {
                return refuse(key, format!("{bits} bits is outside 2 to 128"));
            }
        }
        if !is_name(&dsp.kind, "_") {
            return refuse("dsp", "a primitive's name is letters, digits and '_'".into());
        }
    }
    let memories: [(&str, Option<&Memory>); 3] =
        [("bram", Some(&r.bram)), ("uram", r.uram.as_ref()), ("spram", r.spram.as_ref())];
    for (key, memory) in memories {
        let Some(memory) = memory else { continue };
        count(key, memory.count, 0)?;
        if !is_name(&memory.kind, "_") {
            return refuse(key, "a primitive's name is letters, digits and '_'".into());
        }
        if !(64..=1 << 24).contains(&memory.bits) || !(1..=1024).contains(&memory.max_width) {
            return refuse(key, "a block has 64 to 16777216 bits, and ports of 1 to 1024 bits".into());
        }
    }
    if let Some(lutram) = r.lutram
        && (lutram.lut > r.lut || !(1..=64).contains(&lutram.bits_per_lut))
    {
        return refuse("lutram", "at most all LUTs can be memory, of 1 to 64 bits each".into());
    }
    Ok(())
}
