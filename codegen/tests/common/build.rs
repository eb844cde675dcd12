//! Puts modules and streams together.

use super::pick;
use netfold_ir::hw::{Design, Kind, Module, ModuleId, Stream, TopPort};
use netfold_ir::net::Affine;
use netfold_ir::quant::IntType;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// An open output of the design under construction.
#[derive(Debug, Clone, Copy)]
pub struct Open {
    pub module: ModuleId,
    pub port: usize,
    pub ty: IntType,
    pub lanes: usize,
    pub beats: usize,
}

impl Open {
    pub fn elements(&self) -> usize {
        self.lanes * self.beats
    }
}

/// A design under construction.
pub struct Builder {
    pub design: Design,
    pub rng: ChaCha8Rng,
    /// Whether programs may take several cycles a beat.
    pub intervals: bool,
    count: usize,
}

impl Builder {
    pub fn new(name: &str, rng: ChaCha8Rng) -> Builder {
        Builder { design: Design::new(name), rng, intervals: false, count: 0 }
    }

    fn module(&mut self, kind: Kind) -> ModuleId {
        let name = format!("{}{}", kind.name(), self.count);
        self.count += 1;
        self.design.add(Module { name, layer: "layer \"x\" */ \n`y".into(), kind })
    }

    /// FIFO depth: mostly small, sometimes one, sometimes block memory.
    fn depth(&mut self) -> usize {
        pick(&mut self.rng, &[1, 2, 2, 2, 3, 4, 7, 8, 16, 64, 65, 100, 300])
    }

    /// A top-level input.
    pub fn source(&mut self, ty: IntType, lanes: usize, beats: usize) -> Open {
        let module = self.module(Kind::Source { lanes, beats });
        let id = format!("x{}", self.design.inputs.len());
        self.design.inputs.push(TopPort { name: id.clone(), id, module, real: Affine::identity() });
        Open { module, port: 0, ty, lanes, beats }
    }

    /// A module with its inputs; `types` are those of its outputs.
    pub fn add(&mut self, kind: Kind, inputs: &[Open], types: &[IntType]) -> Vec<Open> {
        let (lanes, beats) = (kind.output_lanes(), kind.beats().1);
        let module = self.module(kind);
        for (to_port, from) in inputs.iter().enumerate() {
            let depth = self.depth();
            let stream =
                Stream { from_port: from.port, to_port, ty: from.ty, lanes: from.lanes, beats: from.beats, depth };
            self.design.connect(from.module, module, stream);
        }
        let open = |(port, ty)| Open { module, port, ty, lanes: lanes[port], beats: beats[port] };
        types.iter().copied().enumerate().map(open).collect()
    }

    /// A top-level output.
    pub fn sink(&mut self, from: Open) {
        let kind = Kind::Sink { lanes: from.lanes, beats: from.beats };
        self.add(kind, &[from], &[]);
        let module = *self.design.modules().last().expect("just added");
        let id = format!("y{}", self.design.outputs.len());
        self.design.outputs.push(TopPort { name: id.clone(), id, module, real: Affine::identity() });
    }

    /// The finished design; FIFOs that deadlock are deepened.
    pub fn finish(mut self) -> Design {
        self.design.verify().unwrap_or_else(|d| panic!("{d}"));
        if netfold_ir::hw::timing::simulate(&self.design).is_err() {
            let depths = netfold_ir::hw::timing::required_depths(&self.design, 1).expect("unbounded designs run");
            let ports: Vec<_> = self.design.streams().iter().map(|(from, _, s)| (*from, s.from_port)).collect();
            for ((from, port), depth) in ports.into_iter().zip(depths) {
                self.design.stream_mut(from, port).expect("exists").depth = depth.max(2);
            }
            netfold_ir::hw::timing::simulate(&self.design).unwrap_or_else(|d| panic!("{d}"));
        }
        self.design
    }

    /// A random type of 1 to `most` bits.
    pub fn ty(&mut self, most: u32) -> IntType {
        let bits = self.rng.random_range(1..=most);
        IntType::new(self.rng.random(), bits)
    }

    /// Random elements of a type, the extremes often among them.
    pub fn value(&mut self, ty: IntType) -> i64 {
        match self.rng.random_range(0..8) {
            0 => ty.min(),
            1 => ty.max(),
            _ => self.rng.random_range(ty.min()..=ty.max()),
        }
    }
}
