//! A function's configuration as JSON: one encoding for every database.

use std::collections::BTreeMap;
use std::time::Duration;

use lambda_core::model::{FunctionConfig, Language, RuntimeName};
use serde::{Deserialize, Serialize};

/// Unknown fields are refused: a program that is older than the row would drop them with
/// its next update. New fields come with `#[serde(default)]`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    description: String,
    language: Language,
    handler: Option<String>,
    runtime: RuntimeName,
    timeout_us: u64,
    memory_mib: u32,
    /// As text: `f64` prints in full and reads back to the bit, which JSON numbers may not.
    cpus: String,
    tmp_mib: Option<u32>,
    env: BTreeMap<String, String>,
    concurrency: Option<u32>,
    image: Option<String>,
    network: String,
    /// This and what follows is left out where it is the default, so that programs which do not know it read the rest.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    fresh_process: bool,
    #[serde(default, skip_serializing_if = "is_zero")]
    min_warm: u32,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    keep_processes: bool,
}

// As serde asks for it.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// Error of [`decode`].
pub(crate) type DecodeError = Box<dyn std::error::Error + Send + Sync>;

/// The configuration as JSON.
pub(crate) fn encode(config: &FunctionConfig) -> Result<String, serde_json::Error> {
    serde_json::to_string(&Stored {
        description: config.description.clone(),
        language: config.language,
        handler: config.handler.clone(),
        runtime: config.runtime.clone(),
        timeout_us: u64::try_from(config.timeout.as_micros()).unwrap_or(u64::MAX),
        memory_mib: config.memory_mib,
        cpus: config.cpus.to_string(),
        tmp_mib: config.tmp_mib,
        env: config.env.clone(),
        concurrency: config.concurrency,
        image: config.image.clone(),
        network: config.network.clone(),
        fresh_process: config.fresh_process,
        min_warm: config.min_warm,
        keep_processes: config.keep_processes,
    })
}

/// What [`encode`] gave.
pub(crate) fn decode(json: &str) -> Result<FunctionConfig, DecodeError> {
    let stored: Stored = serde_json::from_str(json)?;
    let mut config = FunctionConfig::new(stored.language);
    config.description = stored.description;
    config.handler = stored.handler;
    config.runtime = stored.runtime;
    config.timeout = Duration::from_micros(stored.timeout_us);
    config.memory_mib = stored.memory_mib;
    config.cpus = stored.cpus.parse()?;
    config.tmp_mib = stored.tmp_mib;
    config.env = stored.env;
    config.concurrency = stored.concurrency;
    config.image = stored.image;
    config.network = stored.network;
    config.fresh_process = stored.fresh_process;
    config.min_warm = stored.min_warm;
    config.keep_processes = stored.keep_processes;
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_of_a_newer_program_is_refused_and_not_lost() {
        let json = encode(&FunctionConfig::new(Language::Python)).unwrap();
        assert!(decode(&json).is_ok());
        let newer = json.replacen('{', r#"{"layers":[],"#, 1);
        assert!(decode(&newer).is_err());
    }

    #[test]
    fn cpus_survive_to_the_bit() {
        for cpus in [0.1 + 0.2, 1.0 / 3.0, 64.0, f64::MIN_POSITIVE] {
            let mut config = FunctionConfig::new(Language::Python);
            config.cpus = cpus;
            assert_eq!(decode(&encode(&config).unwrap()).unwrap().cpus, cpus);
        }
    }
}
