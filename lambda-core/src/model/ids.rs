//! Names and ids. Each is checked where it is made, so the rest need not.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::limits;
use crate::error::{Error, Result};

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A new id (UUIDv7: ids made later sort later).
            #[must_use]
            #[allow(clippy::new_without_default)]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }

            /// The 16 bytes, as a store keeps them.
            #[must_use]
            pub fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }

            /// The id that [`as_bytes`](Self::as_bytes) gave.
            #[must_use]
            pub fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self> {
                Uuid::try_parse(text).map(Self).map_err(|_| {
                    Error::invalid("id_parse", "The id is not a UUID.")
                        .hint("Give the id exactly as the platform printed it.")
                })
            }
        }
    };
}

uuid_id!(
    /// A function, through all its versions.
    FunctionId
);
impl FunctionId {
    /// What stands in records for code that was run without being deployed. No function has it.
    pub const TEST: Self = Self(Uuid::from_u128(0x0000_0000_0000_8000_8000_0000_7465_7374));
}

uuid_id!(
    /// One execution of a function.
    RequestId
);
uuid_id!(
    /// One state of a function: of its code, configuration, name and aliases. Every change of
    /// any of them gives a new one.
    RevisionId
);
uuid_id!(
    /// One sandbox.
    SandboxId
);
uuid_id!(
    /// One running platform: whoever creates sandboxes.
    OwnerId
);
uuid_id!(
    /// An access token (not its secret).
    TokenId
);

macro_rules! checked_name {
    ($(#[$doc:meta])* $name:ident, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks `name`.
            ///
            /// # Errors
            /// `InvalidParameter`, saying which names are allowed.
            pub fn new(name: impl AsRef<str>) -> Result<Self> {
                let name = name.as_ref();
                let check: fn(&str) -> Result<()> = $check;
                check(name)?;
                Ok(Self(name.into()))
            }

            /// The name.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", self.0)
            }
        }

        impl FromStr for $name {
            type Err = Error;
            fn from_str(text: &str) -> Result<Self> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = Error;
            fn try_from(text: String) -> Result<Self> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.as_str().to_owned()
            }
        }

        /// Shared, not copied.
        impl From<$name> for Arc<str> {
            fn from(name: $name) -> Self {
                name.0
            }
        }
    };
}

fn is_name(text: &str) -> bool {
    (1..=limits::NAME_CHARS_MAX).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

checked_name!(
    /// A function's name: `[A-Za-z0-9_-]{1,64}`, not shaped like a UUID (it would be taken
    /// for an id) and not `execute` (it would be taken for the route).
    FunctionName,
    |text| {
        if !is_name(text) {
            return Err(Error::invalid(
                "function_name",
                "A function's name has 1 to 64 characters out of A-Z, a-z, 0-9, - and _.",
            )
            .hint("Choose such a name, for example `resize-image`."));
        }
        if text == "execute" || Uuid::try_parse(text).is_ok() {
            return Err(Error::invalid(
                "function_name",
                "A function's name cannot be `execute` or look like a UUID.",
            )
            .hint("Choose another name."));
        }
        Ok(())
    }
);

checked_name!(
    /// A space in which function names are unique; `default` unless told.
    Namespace,
    |text| {
        if is_name(text) {
            return Ok(());
        }
        Err(Error::invalid(
            "namespace",
            "A namespace has 1 to 64 characters out of A-Z, a-z, 0-9, - and _.",
        ))
    }
);

impl Default for Namespace {
    fn default() -> Self {
        Self("default".into())
    }
}

checked_name!(
    /// A sandbox back end by name: `docker`, `gvisor`, or a third party's.
    RuntimeName,
    |text| {
        if is_name(text) {
            return Ok(());
        }
        Err(Error::invalid(
            "runtime",
            "A runtime's name has 1 to 64 characters out of A-Z, a-z, 0-9, - and _.",
        )
        .hint("The runtimes that come with the platform are `docker` and `gvisor`."))
    }
);

impl RuntimeName {
    /// Containers run by Docker with runc.
    #[must_use]
    pub fn docker() -> Self {
        Self("docker".into())
    }

    /// Containers run by Docker with gVisor's runsc.
    #[must_use]
    pub fn gvisor() -> Self {
        Self("gvisor".into())
    }
}

impl Default for RuntimeName {
    fn default() -> Self {
        Self::docker()
    }
}

/// How a caller names a function.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum FunctionRef {
    /// By id.
    Id(FunctionId),
    /// By name.
    Name(FunctionName),
}

impl FromStr for FunctionRef {
    type Err = Error;

    /// An id where the text is a UUID, else a name; the two cannot be confused.
    fn from_str(text: &str) -> Result<Self> {
        match Uuid::try_parse(text) {
            Ok(id) => Ok(Self::Id(FunctionId(id))),
            Err(_) => FunctionName::new(text).map(Self::Name),
        }
    }
}

impl From<FunctionId> for FunctionRef {
    fn from(id: FunctionId) -> Self {
        Self::Id(id)
    }
}

impl fmt::Display for FunctionRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Name(name) => name.fmt(f),
        }
    }
}

checked_name!(
    /// A name that points at a version: `[A-Za-z0-9_-]{1,64}`, and not a number, which would be
    /// taken for a version. Every function has [`current`](AliasName::current).
    AliasName,
    |text| {
        if is_name(text) && !text.bytes().all(|b| b.is_ascii_digit()) {
            return Ok(());
        }
        Err(Error::invalid(
            "alias_name",
            "An alias has 1 to 64 characters out of A-Z, a-z, 0-9, - and _, and is not a number.",
        )
        .hint("Choose such a name, for example `stable`."))
    }
);

impl AliasName {
    const CURRENT: &str = "current";

    /// The alias that every function has: what runs where nobody asks for a version.
    #[must_use]
    pub fn current() -> Self {
        Self(Self::CURRENT.into())
    }

    /// Whether it is [`current`](Self::current).
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.as_str() == Self::CURRENT
    }
}

/// Which version of a function.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Qualifier {
    /// The version that the alias `current` points at.
    #[default]
    Current,
    /// A version by number, from 1.
    Version(u32),
    /// The version that an alias points at. Made by parsing, it is never `current`.
    Alias(AliasName),
}

impl FromStr for Qualifier {
    type Err = Error;

    /// A version where the text is a number, else an alias. `$LATEST` is AWS's name for what
    /// is `current` here.
    fn from_str(text: &str) -> Result<Self> {
        if text == AliasName::CURRENT || text == "$LATEST" {
            return Ok(Self::Current);
        }
        if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
            return text.parse().map(Self::Version).map_err(|_| {
                Error::invalid("qualifier", "The version is a number that no version has.")
                    .hint("List the function's versions to see which there are.")
            });
        }
        AliasName::new(text).map(Self::Alias)
    }
}

impl fmt::Display for Qualifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Current => f.write_str(AliasName::CURRENT),
            Self::Version(number) => number.fmt(f),
            Self::Alias(name) => name.fmt(f),
        }
    }
}

/// A function, named in full.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FunctionSelector {
    /// The namespace.
    pub namespace: Namespace,
    /// The function.
    pub function: FunctionRef,
    /// The version.
    pub qualifier: Qualifier,
}

impl FunctionSelector {
    /// The current version of `function`.
    #[must_use]
    pub fn current(namespace: Namespace, function: FunctionRef) -> Self {
        Self {
            namespace,
            function,
            qualifier: Qualifier::Current,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn qualifiers_are_versions_or_aliases() {
        for text in ["current", "7", "stable", "v2"] {
            let qualifier: Qualifier = text.parse().unwrap();
            assert_eq!(qualifier.to_string(), text);
        }
        assert_eq!("$LATEST".parse::<Qualifier>().unwrap(), Qualifier::Current);
        assert_eq!("12".parse::<Qualifier>().unwrap(), Qualifier::Version(12));
        for bad in ["", "4294967296", "a b", "../x"] {
            assert!(bad.parse::<Qualifier>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn names_that_a_route_would_misread_are_refused() {
        for bad in [
            "",
            "execute",
            "a b",
            "ü",
            "../x",
            "a\0",
            "01890a5d-ac96-774b-bcce-b302099a8057",
            "01890a5dac96774bbcceb302099a8057",
            &"x".repeat(65),
        ] {
            assert!(FunctionName::new(bad).is_err(), "{bad:?}");
        }
        for good in ["a", "A-z_0", &"x".repeat(64), "executes"] {
            assert!(FunctionName::new(good).is_ok(), "{good:?}");
        }
    }
}
