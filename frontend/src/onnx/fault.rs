//! Errors inside the importer: what is wrong, before the node at fault is known.

use super::import::SYMBOLIC_BATCH;
use netfold_ir::diag::{Code, Diag};

/// A [`Diag`] without its place.
#[derive(Debug, Clone)]
pub(super) struct Fault {
    code: Code,
    cause: String,
    help: String,
}

/// Result of a step of the importer.
pub(super) type Res<T> = Result<T, Fault>;

/// Something that netfold does not support.
pub(super) fn unsupported(cause: impl Into<String>) -> Fault {
    Fault { code: Code::Unsupported, cause: cause.into(), help: String::new() }
}

/// Something that contradicts itself or the specification.
pub(super) fn invalid(cause: impl Into<String>) -> Fault {
    Fault { code: Code::Invalid, cause: cause.into(), help: String::new() }
}

/// Data that is not what the format says.
pub(super) fn malformed(cause: impl Into<String>) -> Fault {
    Fault { code: Code::Format, cause: cause.into(), help: String::new() }
}

impl Fault {
    /// Adds what the user can do.
    pub fn help(mut self, help: impl Into<String>) -> Fault {
        self.help = help.into();
        self
    }

    /// The error at `place`; `what` (the operator, the tensor) is put before the cause. A symbolic batch size reads `N`.
    pub fn at(self, place: &str, what: &str) -> Diag {
        let cause = if what.is_empty() { self.cause } else { format!("{what}: {}", self.cause) };
        let cause = cause.replace(&SYMBOLIC_BATCH.to_string(), "N");
        Diag::new(self.code, place, cause).help(self.help)
    }
}

impl From<Diag> for Fault {
    fn from(d: Diag) -> Fault {
        Fault { code: d.code, cause: d.cause, help: d.help }
    }
}
