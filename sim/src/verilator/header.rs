//! The generated class's header: does the design's top have the ports that the caller says?

use std::collections::BTreeMap;

use netfold_ir::diag::{Code, Diag};

use crate::ports::Interface;

/// Direction and width of the ports in a Verilator top class header (lines such as `VL_OUTW(&m_axis_tdata,127,0,4);`).
fn ports(header: &str) -> BTreeMap<&str, (bool, u64)> {
    header
        .lines()
        .filter_map(|line| {
            let line = line.trim();
            let (input, rest) = line
                .strip_prefix("VL_IN")
                .map(|r| (true, r))
                .or_else(|| Some((false, line.strip_prefix("VL_OUT")?)))?;
            let (_, inner) = rest.split_once('(')?;
            let mut fields = inner.split_once(')')?.0.split(',').map(|f| f.trim().trim_start_matches('&'));
            let name = fields.next()?;
            let msb: u64 = fields.next()?.parse().ok()?;
            let lsb: u64 = fields.next()?.parse().ok()?;
            Some((name, (input, msb.checked_sub(lsb)? + 1)))
        })
        .collect()
}

/// Compares the header with the interface.
///
/// # Errors
/// `Code::Invalid` naming the first port that is missing, too many, of the other direction or of another width.
pub(super) fn check(header: &str, interface: &Interface) -> Result<(), Diag> {
    let mut found = ports(header);
    let mut expect = |name: String, input: bool, bits: u64| {
        let place = format!("port {name} of {}", interface.top);
        match found.remove(name.as_str()) {
            None => Err(Diag::new(Code::Invalid, place, "the top module has no such port")),
            Some((way, _)) if way != input => {
                let way = if input { "an output, not an input" } else { "an input, not an output" };
                Err(Diag::new(Code::Invalid, place, format!("the port is {way}")))
            }
            Some((_, width)) if width != bits => {
                Err(Diag::new(Code::Invalid, place, format!("the port has {width} bits; {bits} are expected")))
            }
            Some(_) => Ok(()),
        }
    };
    expect("aclk".into(), true, 1)?;
    expect("aresetn".into(), true, 1)?;
    for (list, input) in [(&interface.inputs, true), (&interface.outputs, false)] {
        for port in list {
            expect(format!("{}_tdata", port.prefix), input, port.tdata_bits())?;
            expect(format!("{}_tvalid", port.prefix), input, 1)?;
            expect(format!("{}_tlast", port.prefix), input, 1)?;
            expect(format!("{}_tready", port.prefix), !input, 1)?;
        }
    }
    match found.keys().next() {
        Some(name) => {
            Err(Diag::new(Code::Invalid, format!("port {name} of {}", interface.top), "the port belongs to no stream"))
        }
        None => Ok(()),
    }
}
