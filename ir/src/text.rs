//! Serde forms of numbers that JSON and YAML have none for: exact rationals as `"n/d"`, floats with infinities as text.

use crate::rat::{Rat, parse};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// `Vec<Rat>` as strings such as `"-3/8"`.
pub mod rats {
    use super::*;

    /// Writes.
    pub fn serialize<S: Serializer>(v: &[Rat], s: S) -> Result<S::Ok, S::Error> {
        v.iter().map(ToString::to_string).collect::<Vec<String>>().serialize(s)
    }

    /// Reads; a zero denominator or text that is no rational is an error.
    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<Rat>, D::Error> {
        let texts = Vec::<String>::deserialize(d)?;
        if texts.is_empty() {
            return Err(D::Error::custom("an empty list of numbers"));
        }
        texts
            .iter()
            .map(|t| parse(t).ok_or_else(|| D::Error::custom(format!("{t:?} is not a rational number"))))
            .collect()
    }
}

/// `Vec<f64>` as strings such as `"0.1"` or `"-inf"`, which read back exactly.
pub mod floats {
    use super::*;

    /// Writes.
    pub fn serialize<S: Serializer>(v: &[f64], s: S) -> Result<S::Ok, S::Error> {
        v.iter().map(|x| format!("{x:?}")).collect::<Vec<String>>().serialize(s)
    }

    /// Reads; an empty list is an error.
    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<f64>, D::Error> {
        let texts = Vec::<String>::deserialize(d)?;
        if texts.is_empty() {
            return Err(D::Error::custom("an empty list of numbers"));
        }
        texts.iter().map(|t| t.parse().map_err(|_| D::Error::custom(format!("{t:?} is not a number")))).collect()
    }
}
