//! The server's settings: flags, then environment, then the TOML file, then defaults.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lambda_core::model::{FunctionConfig, Language, Retention, RuntimeName};
use lambda_core::pool::{PoolOptions, SandboxClass};
use lambda_core::recorder::JOURNAL_BYTES_MAX_DEFAULT;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::Deserialize;

use crate::cli::{ConfigArgs, LogFormat};
use crate::failure::{Failure, Result};

/// The database of a data directory, unless told otherwise.
const DATABASE: &str = "lambda.db";

const LISTEN_DEFAULT: &str = "127.0.0.1:8080";

/// What would end the path in a store's URL.
const URL_PATH: &AsciiSet = &CONTROLS.add(b'?').add(b'#').add(b'%');

/// The TOML file; lambda.example.toml says what each field does.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ConfigFile {
    listen: Option<String>,
    store: Option<String>,
    require_token: bool,
    hosts: Vec<String>,
    log_format: Option<LogFormat>,
    pub(crate) tls: TlsSection,
    pub(crate) http: HttpSection,
    pub(crate) containers: ContainerSection,
    pub(crate) pool: PoolSection,
    pub(crate) records: RecordSection,
}

/// `[http]`: bounds of the server.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct HttpSection {
    pub(crate) connections_max: Option<usize>,
    pub(crate) log_streams_max: Option<usize>,
}

/// `[tls]`: the certificate of the server, and its key.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TlsSection {
    pub(crate) cert: Option<PathBuf>,
    pub(crate) key: Option<PathBuf>,
}

impl TlsSection {
    /// Both files' contents; none: the server does not speak TLS.
    pub(crate) fn read(&self) -> Result<Option<(Vec<u8>, Vec<u8>)>> {
        let read = |path: &Path| {
            std::fs::read(path).map_err(|error| {
                Failure::usage(format!("{} cannot be read: {error}.", path.display()))
                    .hint("Check `cert` and `key` of [tls], or --tls-cert and --tls-key.")
            })
        };
        match (&self.cert, &self.key) {
            (None, None) => Ok(None),
            (Some(cert), Some(key)) => Ok(Some((read(cert)?, read(key)?))),
            _ => Err(Failure::usage(
                "TLS needs both a certificate and its key, and only one is given.",
            )
            .hint("Set `cert` and `key` of [tls], or neither.")),
        }
    }
}

/// `[records]`: how long records of invocations are kept. 0 days: for ever.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RecordSection {
    invocations_days: Option<u32>,
    outputs_days: Option<u32>,
    minutes_days: Option<u32>,
    hours_days: Option<u32>,
    days_days: Option<u32>,
    journal_mib_max: Option<u32>,
    journal_mapped: Option<bool>,
    recording: Option<bool>,
}

impl RecordSection {
    /// The platform's own defaults, with what the file sets.
    pub(crate) fn retention(&self) -> Retention {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        fn set(target: &mut Option<Duration>, days: Option<u32>) {
            match days {
                None => {}
                Some(0) => *target = None,
                Some(days) => *target = Some(DAY * days),
            }
        }
        let mut retention = Retention::default();
        set(&mut retention.invocations, self.invocations_days);
        set(&mut retention.outputs, self.outputs_days);
        set(&mut retention.minutes, self.minutes_days);
        set(&mut retention.hours, self.hours_days);
        set(&mut retention.days, self.days_days);
        retention
    }

    /// The bound of the journal.
    pub(crate) fn journal_bytes_max(&self) -> u64 {
        let mib = self.journal_mib_max.map(|mib| u64::from(mib) * 1024 * 1024);
        mib.unwrap_or(JOURNAL_BYTES_MAX_DEFAULT)
    }

    /// Whether the journal may be written through memory mappings.
    pub(crate) fn journal_mapped(&self) -> bool {
        self.journal_mapped.unwrap_or(true)
    }

    /// Whether invocations are recorded.
    pub(crate) fn recording(&self) -> bool {
        self.recording.unwrap_or(true)
    }
}

/// `[containers]`: what sandboxes are made of.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ContainerSection {
    pub(crate) docker_socket: Option<PathBuf>,
    pub(crate) python_image: Option<String>,
    pub(crate) javascript_image: Option<String>,
    pub(crate) allowed_images: BTreeSet<String>,
    pub(crate) allowed_networks: BTreeSet<String>,
    pub(crate) clear_tmp: bool,
    pub(crate) cgroup_freezer: Option<bool>,
    pub(crate) busy_poll_us: Option<u32>,
    pub(crate) runc: Option<String>,
    pub(crate) runsc: Option<String>,
}

/// `[pool]`: bounds of the warm-container manager.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct PoolSection {
    sandboxes_max: Option<u32>,
    memory_mib_max: Option<u64>,
    function_concurrency: Option<u32>,
    creating_max: Option<u32>,
    queue_max: Option<u32>,
    queue_timeout_ms: Option<u64>,
    idle_timeout_ms: Option<u64>,
    freeze_after_ms: Option<u64>,
    prewarmed: Option<u32>,
    prewarmed_classes: Vec<PrewarmedClass>,
}

/// `[[pool.prewarmed_classes]]`: sandboxes that are kept ready, in use or not.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PrewarmedClass {
    runtime: RuntimeName,
    language: Language,
    image: Option<String>,
    memory_mib: Option<u32>,
    cpus: Option<f64>,
    tmp_mib: Option<u32>,
    network: Option<String>,
    count: u32,
}

impl PrewarmedClass {
    fn class(&self) -> SandboxClass {
        let mut config = FunctionConfig::new(self.language);
        config.image.clone_from(&self.image);
        config.memory_mib = self.memory_mib.unwrap_or(config.memory_mib);
        config.cpus = self.cpus.unwrap_or(config.cpus);
        config.tmp_mib = self.tmp_mib;
        if let Some(network) = &self.network {
            config.network.clone_from(network);
        }
        SandboxClass::of_config(self.runtime.clone(), &config)
    }
}

impl PoolSection {
    /// For a process that ends with one command: nobody is left to use what is kept ready.
    pub(crate) fn keep_none_ready(&mut self) {
        self.prewarmed = Some(0);
        self.prewarmed_classes.clear();
    }

    /// The pool's own defaults, with what the file sets.
    pub(crate) fn options(&self) -> PoolOptions {
        fn set<T: Copy>(target: &mut T, value: Option<T>) {
            if let Some(value) = value {
                *target = value;
            }
        }
        let mut options = PoolOptions::default();
        set(&mut options.sandboxes_max, self.sandboxes_max);
        set(&mut options.memory_mib_max, self.memory_mib_max);
        set(&mut options.function_concurrency, self.function_concurrency);
        set(&mut options.creating_max, self.creating_max);
        set(&mut options.queue_max, self.queue_max);
        let millis = |value: Option<u64>| value.map(Duration::from_millis);
        set(&mut options.queue_timeout, millis(self.queue_timeout_ms));
        set(&mut options.idle_timeout, millis(self.idle_timeout_ms));
        if let Some(after_ms) = self.freeze_after_ms {
            options.freeze_after = (after_ms > 0).then(|| Duration::from_millis(after_ms));
        }
        set(&mut options.prewarmed, self.prewarmed);
        let classes = self.prewarmed_classes.iter();
        options.prewarmed_classes = classes.map(|class| (class.class(), class.count)).collect();
        options
    }
}

/// The settings, put together. No `Debug`: a store's URL may hold a password.
pub(crate) struct Config {
    pub(crate) data_dir: PathBuf,
    /// The file that was read, if there was one.
    pub(crate) file_path: Option<PathBuf>,
    pub(crate) store_url: String,
    pub(crate) listen: String,
    pub(crate) require_token: bool,
    pub(crate) hosts: Vec<String>,
    pub(crate) log_format: LogFormat,
    pub(crate) tls: TlsSection,
    pub(crate) http: HttpSection,
    pub(crate) containers: ContainerSection,
    pub(crate) pool: PoolSection,
    pub(crate) records: RecordSection,
}

impl Config {
    pub(crate) fn load(data_dir: Option<&Path>, args: &ConfigArgs) -> Result<Self> {
        let data_dir = data_dir_or_default(data_dir)?;
        let file_path = match &args.config {
            Some(path) => Some(path.clone()),
            None => [data_dir.join("lambda.toml"), PathBuf::from("lambda.toml")]
                .into_iter()
                .find(|path| path.is_file()),
        };
        let mut file = match &file_path {
            Some(path) => read(path)?,
            None => ConfigFile::default(),
        };
        let containers = &mut file.containers;
        containers
            .allowed_images
            .extend(args.allowed_images.iter().cloned());
        containers
            .allowed_networks
            .extend(args.allowed_networks.iter().cloned());
        Ok(Self {
            store_url: args
                .store
                .clone()
                .or(file.store)
                .unwrap_or_else(|| default_store_url(&data_dir)),
            listen: file.listen.unwrap_or_else(|| LISTEN_DEFAULT.to_owned()),
            require_token: file.require_token,
            hosts: file.hosts,
            log_format: file.log_format.unwrap_or(LogFormat::Text),
            tls: file.tls,
            http: file.http,
            containers: file.containers,
            pool: file.pool,
            records: file.records,
            data_dir,
            file_path,
        })
    }

    /// Whether nobody has started a server on this data directory yet: looking at its database
    /// would make it.
    pub(crate) fn is_database_still_to_be_made(&self) -> bool {
        self.store_url == default_store_url(&self.data_dir)
            && !self.data_dir.join(DATABASE).exists()
    }

    /// The address to listen on.
    pub(crate) fn listen_address(&self) -> Result<SocketAddr> {
        // A name would have to be looked up, and the look-up decides who can reach the server.
        let text = self.listen.replace("localhost:", "127.0.0.1:");
        text.parse().map_err(|_| {
            Failure::usage(format!("`{}` is not an address to listen on.", self.listen))
                .hint("Write an IP address and a port, for instance 127.0.0.1:8080 or [::]:8080.")
        })
    }
}

fn read(path: &Path) -> Result<ConfigFile> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::usage(format!("{} cannot be read: {error}.", path.display()))
            .hint("Check --config and LAMBDA_CONFIG.")
    })?;
    toml::from_str(&text).map_err(|error| {
        Failure::usage(format!(
            "{} is not a valid configuration:\n{error}",
            path.display()
        ))
    })
}

/// The data directory that was asked for, absolute, or the usual one.
pub(crate) fn data_dir_or_default(asked: Option<&Path>) -> Result<PathBuf> {
    let directory = match asked {
        Some(path) => path.to_owned(),
        None => default_data_dir(|name| std::env::var_os(name).map(PathBuf::from))?,
    };
    std::path::absolute(&directory)
        .map_err(|error| Failure::usage(format!("The data directory is not a path: {error}.")))
}

fn default_data_dir(variable: impl Fn(&str) -> Option<PathBuf>) -> Result<PathBuf> {
    // The XDG rules: a relative path there is to be ignored.
    let absolute = |name| variable(name).filter(|path| path.is_absolute());
    if let Some(data) = absolute("XDG_DATA_HOME") {
        return Ok(data.join("lambda"));
    }
    match absolute("HOME") {
        Some(home) if home != Path::new("/root") => Ok(home.join(".local/share/lambda")),
        Some(_) => Ok(PathBuf::from("/var/lib/lambda")),
        None => Err(
            Failure::usage("There is no home directory to keep data in.")
                .hint("Name a directory with --data-dir or LAMBDA_DATA_DIR."),
        ),
    }
}

fn default_store_url(data_dir: &Path) -> String {
    let path = data_dir.join(DATABASE);
    format!(
        "sqlite://{}",
        utf8_percent_encode(&path.to_string_lossy(), URL_PATH)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(config: Option<PathBuf>) -> ConfigArgs {
        ConfigArgs {
            config,
            store: None,
            allowed_images: vec!["b".to_owned()],
            allowed_networks: Vec::new(),
        }
    }

    #[test]
    fn the_file_gives_what_flags_leave_open() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lambda.toml");
        std::fs::write(
            &path,
            "listen = '[::1]:0'\nstore = 'sqlite::memory:'\n[containers]\nallowed_images = ['a']\n[pool]\nqueue_timeout_ms = 5\n",
        )
        .unwrap();
        let mut args = args(None);
        let config = Config::load(Some(directory.path()), &args).unwrap();
        assert_eq!(config.file_path.as_ref(), Some(&path));
        assert_eq!(config.listen_address().unwrap(), "[::1]:0".parse().unwrap());
        assert_eq!(config.store_url, "sqlite::memory:");
        assert_eq!(config.containers.allowed_images.len(), 2);
        assert_eq!(
            config.pool.options().queue_timeout,
            Duration::from_millis(5)
        );
        args.store = Some("sqlite://x.db".to_owned());
        let config = Config::load(Some(directory.path()), &args).unwrap();
        assert_eq!(config.store_url, "sqlite://x.db");
    }

    #[test]
    fn a_typo_in_the_file_is_named() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("lambda.toml"), "lissten = 'x'\n").unwrap();
        let Err(error) = Config::load(Some(directory.path()), &args(None)) else {
            panic!("it was read")
        };
        assert!(error.message.contains("lissten"), "{error}");
        assert_eq!(error.exit_code(), 2);
        assert!(Config::load(Some(directory.path()), &args(Some("nowhere.toml".into()))).is_err());
    }

    #[test]
    fn the_example_shows_the_defaults() {
        let example = include_str!("../../../lambda.example.toml");
        // Every setting stands there commented out, with its default.
        let set: String = example
            .lines()
            .map(|line| {
                line.strip_prefix("# ")
                    .filter(|rest| rest.contains(" = ") || rest.starts_with("[["))
                    .unwrap_or(line)
            })
            .fold(String::new(), |text, line| text + line + "\n");
        let file: ConfigFile = toml::from_str(&set).unwrap();
        let pool = file.pool.options();
        let default = PoolOptions::default();
        assert_eq!(file.listen.as_deref(), Some(LISTEN_DEFAULT));
        assert!(file.tls.cert.is_some() && file.tls.key.is_some());
        assert_eq!(pool.sandboxes_max, default.sandboxes_max);
        assert_eq!(pool.memory_mib_max, default.memory_mib_max);
        assert_eq!(pool.function_concurrency, default.function_concurrency);
        assert_eq!(pool.queue_max, default.queue_max);
        assert_eq!(pool.queue_timeout, default.queue_timeout);
        assert_eq!(pool.idle_timeout, default.idle_timeout);
        assert_eq!(file.records.retention(), Retention::default());
        assert_eq!(file.records.journal_bytes_max(), JOURNAL_BYTES_MAX_DEFAULT);
        assert!(file.records.recording());
        assert_eq!(pool.freeze_after, default.freeze_after);
        assert_eq!(pool.prewarmed, default.prewarmed);
        let (class, count) = &pool.prewarmed_classes[0];
        let python = SandboxClass::new(RuntimeName::docker(), Language::Python);
        assert_eq!((class, *count), (&python, 2));
        let containers = lambda_core::runtime::ContainerOptions::new("/x");
        assert_eq!(file.containers.python_image, Some(containers.python_image));
        assert_eq!(
            file.containers.javascript_image,
            Some(containers.javascript_image)
        );
        assert_eq!(file.containers.clear_tmp, containers.clear_tmp);
        let cgroup_freezer = file.containers.cgroup_freezer;
        assert_eq!(cgroup_freezer, Some(containers.cgroup_freezer));
        let busy_poll = file.containers.busy_poll_us.map(u64::from);
        let busy_poll = busy_poll.map(Duration::from_micros);
        assert_eq!(busy_poll, Some(containers.busy_poll));
        assert_eq!(file.containers.runc, Some(containers.runc));
        assert_eq!(file.containers.runsc, Some(containers.runsc));
    }

    #[test]
    fn data_directories() {
        let with = |pairs: &[(&str, &str)]| {
            let pairs: Vec<_> = pairs
                .iter()
                .map(|(n, v)| ((*n).to_owned(), PathBuf::from(v)))
                .collect();
            default_data_dir(|name| {
                pairs
                    .iter()
                    .find(|(n, _)| n == name)
                    .map(|(_, v)| v.clone())
            })
        };
        assert_eq!(
            with(&[("HOME", "/home/a"), ("XDG_DATA_HOME", "/x")]).unwrap(),
            Path::new("/x/lambda")
        );
        assert_eq!(
            with(&[("HOME", "/home/a"), ("XDG_DATA_HOME", "x")]).unwrap(),
            Path::new("/home/a/.local/share/lambda")
        );
        assert_eq!(
            with(&[("HOME", "/root")]).unwrap(),
            Path::new("/var/lib/lambda")
        );
        assert!(with(&[]).is_err());
        assert_eq!(
            default_store_url(Path::new("/a b/c?")),
            "sqlite:///a b/c%3F/lambda.db"
        );
    }
}
