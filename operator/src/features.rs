//! Feature gates, in the form of Kubernetes: `NAME=true,OTHER=false`. Must not know what a feature does.

use std::str::FromStr;

/// The features that can be switched.
const KNOWN: [&str; 1] = [VTEP_CONFIG];
const VTEP_CONFIG: &str = "VTEPConfig";

/// Which features are on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct FeatureGates {
    /// `VTEPConfig`: CiliumVTEPConfigs are written for the objects that ask for it.
    pub(crate) vtep_config: bool,
}

/// What in a list of feature gates cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidGates {
    /// A part is not of the form `NAME=BOOL`.
    #[error("{0:?} is not of the form NAME=true or NAME=false")]
    Form(String),
    /// A value is not a boolean.
    #[error("{name}={value}: the value is true or false")]
    Value {
        /// Name of the feature.
        name: String,
        /// What stands there.
        value: String,
    },
    /// A feature does not exist.
    #[error("unknown feature gate {0:?}; known are: {known}", known = KNOWN.join(", "))]
    Unknown(String),
}

impl FromStr for FeatureGates {
    type Err = InvalidGates;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut gates = Self::default();
        let parts = text.split(',').map(str::trim);
        for part in parts.filter(|part| !part.is_empty()) {
            let (name, value) = part
                .split_once('=')
                .ok_or_else(|| InvalidGates::Form(part.to_owned()))?;
            let (name, value) = (name.trim(), value.trim());
            let gate = match name {
                VTEP_CONFIG => &mut gates.vtep_config,
                _ => return Err(InvalidGates::Unknown(name.to_owned())),
            };
            // What Go's ParseBool takes, as components of Kubernetes do.
            *gate = match value {
                "1" | "t" | "T" | "true" | "TRUE" | "True" => true,
                "0" | "f" | "F" | "false" | "FALSE" | "False" => false,
                _ => {
                    return Err(InvalidGates::Value {
                        name: name.to_owned(),
                        value: value.to_owned(),
                    });
                }
            };
        }
        Ok(gates)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gates_are_off_unless_they_are_named() {
        for text in [
            "",
            " ",
            ",",
            "VTEPConfig=false",
            "VTEPConfig=true,VTEPConfig=0",
        ] {
            assert_eq!(text.parse(), Ok(FeatureGates::default()), "{text:?}");
        }
        for text in [
            "VTEPConfig=true",
            " VTEPConfig = True ,",
            "VTEPConfig=0,VTEPConfig=1",
        ] {
            assert_eq!(
                text.parse(),
                Ok(FeatureGates { vtep_config: true }),
                "{text:?}"
            );
        }
    }

    #[test]
    fn unknown_gate_names_the_known_ones() {
        let said = |text: &str| text.parse::<FeatureGates>().unwrap_err().to_string();
        let unknown = "unknown feature gate \"vtepconfig\"; known are: VTEPConfig";
        assert_eq!(said("vtepconfig=true"), unknown);
        assert!(said("VTEPConfig").contains("NAME=true"));
        assert_eq!(
            said("VTEPConfig=yes"),
            "VTEPConfig=yes: the value is true or false"
        );
    }
}
