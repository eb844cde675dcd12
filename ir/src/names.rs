//! Identifiers made from the model's names, which are arbitrary data.

use std::collections::HashSet;
use std::sync::OnceLock;

/// Longest identifier made here; suffixes are added up to the 60 characters that the hardware verifier allows.
const LENGTH: usize = 44;

/// Words that SystemVerilog (IEEE 1800-2017, annex B), VHDL, Tcl or C++ reserve or that tools are known to trip over.
const RESERVED: &str = " accept_on alias always always_comb always_ff always_latch and assert assign assume automatic before begin \
    bind bins binsof bit break buf bufif0 bufif1 byte case casex casez cell chandle checker class clocking cmos config const \
    constraint context continue cover covergroup coverpoint cross deassign default defparam design disable dist do edge else end \
    endcase endchecker endclass endclocking endconfig endfunction endgenerate endgroup endinterface endmodule endpackage \
    endprimitive endprogram endproperty endsequence endspecify endtable endtask enum event eventually expect export extends \
    extern final first_match for force foreach forever fork forkjoin function generate genvar global highz0 highz1 if iff ifnone \
    ignore_bins illegal_bins implements implies import incdir include initial inout input inside instance int integer interconnect \
    interface intersect join join_any join_none large let liblist library local localparam logic longint macromodule matches medium \
    modport module nand negedge nettype new nexttime nmos nor noshowcancelled not notif0 notif1 null or output package packed \
    parameter pmos posedge primitive priority program property protected pull0 pull1 pulldown pullup pulsestyle_ondetect \
    pulsestyle_onevent pure rand randc randcase randsequence rcmos real realtime ref reg reject_on release repeat restrict return \
    rnmos rpmos rtran rtranif0 rtranif1 s_always s_eventually s_nexttime s_until s_until_with scalared sequence shortint shortreal \
    showcancelled signed small soft solve specify specparam static string strong strong0 strong1 struct super supply0 supply1 \
    sync_accept_on sync_reject_on table tagged task this throughout time timeprecision timeunit tran tranif0 tranif1 tri tri0 tri1 \
    triand trior trireg type typedef union unique unique0 unsigned until until_with untyped use uwire var vectored virtual void wait \
    wait_order wand weak weak0 weak1 while wildcard wire with within wor xnor xor \
    abs access after all architecture array attribute block body buffer bus component configuration constant disconnect downto \
    elsif entity exit file generic group guarded impure in inertial is label linkage literal loop map mod next nor of on open others \
    out port postponed procedure process pure range record register reject rem report rol ror select severity shared signal sla sll \
    sra srl subtype then to transport unaffected units variable when \
    auto bool catch char concept delete double dynamic explicit false float friend goto inline long main mutable namespace operator \
    private public short sizeof std switch template throw true try typeid typename using volatile work aclk aresetn clk rst ";

/// Whether a name is used by a language or by the generated files themselves.
fn is_reserved(name: &str) -> bool {
    static WORDS: OnceLock<HashSet<&str>> = OnceLock::new();
    let words = WORDS.get_or_init(|| RESERVED.split_ascii_whitespace().collect());
    name.starts_with("netfold_") || name == "netfold" || words.contains(name)
}

/// An identifier `[a-z][a-z0-9_]*` of at most 46 characters that resembles `name`, without doubled or trailing underscores, that no
/// language of generated files reserves; `fallback` when nothing of the name is usable. Equal names give equal identifiers,
/// different names may collide.
pub fn identifier(name: &str, fallback: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_ascii_alphanumeric() {
            out.push(c.to_ascii_lowercase());
        } else if !out.is_empty() && !out.ends_with('_') {
            out.push('_');
        }
        if out.len() >= LENGTH {
            break;
        }
    }
    let out = out.trim_matches('_');
    if out.is_empty() {
        return fallback.to_string();
    }
    let starts_well = out.starts_with(|c: char| c.is_ascii_alphabetic());
    if starts_well && !is_reserved(out) { out.to_string() } else { format!("n_{out}") }
}

/// Whether [`identifier`] would leave the name as it is, so that it may stand in a generated file.
pub fn is_identifier(name: &str) -> bool {
    !name.is_empty() && identifier(name, "") == name
}

/// Hands out identifiers, each once.
#[derive(Debug, Clone, Default)]
pub struct Identifiers(HashSet<String>);

impl Identifiers {
    /// A new identifier that resembles `name`.
    pub fn take(&mut self, name: &str, fallback: &str) -> String {
        let base = identifier(name, fallback);
        let mut candidate = base.clone();
        let mut n = 1usize;
        while !self.0.insert(candidate.clone()) {
            n += 1;
            candidate = format!("{base}_{n}");
        }
        candidate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_become_identifiers() {
        let mut ids = Identifiers::default();
        for name in ["fc1/MatMul:0", "", "module", "a\"; $finish; //", "été\n", "1", "1", "__"] {
            let id = ids.take(name, "layer");
            assert!(id.starts_with(|c: char| c.is_ascii_lowercase()), "{id}");
            assert!(id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'), "{id}");
        }
        assert_eq!(identifier("fc1/MatMul:0", "x"), "fc1_matmul_0");
        assert_eq!(identifier("module", "x"), "n_module");
    }

    #[test]
    fn identifiers_are_valid_for_any_name() {
        for (name, expected) in [
            ("Conv2D/Relu:0", "conv2d_relu_0"),
            ("module", "n_module"),
            ("netfold_fifo", "n_netfold_fifo"),
            ("", "layer"),
            ("0a", "n_0a"),
            ("__x__", "x"),
            ("\u{1F600}\n`define", "define"),
            ("a\"; rm -rf /; \"", "a_rm_rf"),
        ] {
            assert_eq!(identifier(name, "layer"), expected, "{name:?}");
            assert!(is_identifier(&identifier(name, "layer")), "{name:?}");
        }
        assert!(identifier(&"x_".repeat(500), "x").len() <= LENGTH);
    }
}
