//! Databases of their own in the servers that the environment names.
//!
//! Where a server is missing, its tests say so and pass, unless `LAMBDA_TEST_REQUIRE` lists it.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;

use sqlx::mysql::MySqlConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, MySqlConnection};

/// A server that the tests run on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Server {
    /// As in `LAMBDA_TEST_REQUIRE`.
    pub(crate) name: &'static str,
    url: &'static str,
    authority: &'static str,
}

pub(crate) const MARIADB: Server = Server {
    name: "mariadb",
    url: "LAMBDA_TEST_MARIADB_URL",
    authority: "LAMBDA_TEST_MARIADB_CA",
};

pub(crate) const MYSQL: Server = Server {
    name: "mysql",
    url: "LAMBDA_TEST_MYSQL_URL",
    authority: "LAMBDA_TEST_MYSQL_CA",
};

impl Server {
    /// The servers that are there.
    pub(crate) fn all() -> Vec<Self> {
        let all = [MARIADB, MYSQL].into_iter();
        all.filter(|server| server.is_there()).collect()
    }

    pub(crate) fn is_there(self) -> bool {
        if std::env::var_os(self.url).is_some() {
            return true;
        }
        let required = std::env::var("LAMBDA_TEST_REQUIRE").unwrap_or_default();
        assert!(
            !required.split(',').any(|name| name.trim() == self.name),
            "LAMBDA_TEST_REQUIRE names {}, but {} is not set",
            self.name,
            self.url
        );
        eprintln!("skipped on {}: {} is not set", self.name, self.url);
        false
    }

    /// The file with the certificate of who signed the server's.
    pub(crate) fn authority(self) -> String {
        std::env::var(self.authority).unwrap()
    }

    /// The server's URL, up to the database's name.
    pub(crate) fn url(self) -> String {
        std::env::var(self.url).unwrap()
    }

    /// The URL of a database for another user.
    pub(crate) fn url_as(self, user: &str, password: &str, database: &str) -> String {
        let url = self.url();
        let (_, place) = url.rsplit_once('@').unwrap();
        let place = place.trim_end_matches('/');
        format!("mysql://{user}:{password}@{place}/{database}")
    }

    fn options(self) -> MySqlConnectOptions {
        self.url().parse().unwrap()
    }

    /// A connection of another program.
    pub(crate) async fn connect(self) -> MySqlConnection {
        self.options().connect().await.unwrap()
    }

    /// A new database, which is dropped with what this returns. It is made by who opens it.
    pub(crate) fn database(self) -> Database {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let made = MADE.fetch_add(1, Ordering::Relaxed);
        Database {
            server: self,
            name: format!("lambda_test_{}_{made}", std::process::id()),
        }
    }
}

/// A database of a test.
pub(crate) struct Database {
    pub(crate) server: Server,
    pub(crate) name: String,
}

impl Database {
    pub(crate) fn url(&self) -> String {
        format!("{}{}", self.server.url(), self.name)
    }

    /// A connection of another program.
    pub(crate) async fn foreign(&self) -> MySqlConnection {
        let options = self.server.options().database(&self.name);
        options.connect().await.unwrap()
    }
}

impl Drop for Database {
    /// In a thread of its own, because the test's runtime may be busy, or gone.
    fn drop(&mut self) {
        let options = self.server.options();
        let drop_it = format!("DROP DATABASE IF EXISTS {}", self.name);
        let (done, wait) = mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            let work = async {
                let mut connection = options.connect().await?;
                // A test that failed may have left a transaction behind.
                let sql = format!("SET SESSION lock_wait_timeout = 10; {drop_it}");
                sqlx::raw_sql(AssertSqlSafe(sql))
                    .execute(&mut connection)
                    .await?;
                connection.close().await
            };
            let result: sqlx::Result<()> = runtime.block_on(work);
            drop(done.send(result));
        });
        if let Ok(Err(error)) = wait.recv() {
            eprintln!("could not drop {}: {error}", self.name);
        }
    }
}
