//! The page at `/` in a real Chromium, over real sandboxes.

use std::path::PathBuf;
use std::process::Command;

use super::server::{Server, missing, runtimes};

/// Chromium, as the test script found it or as it is commonly named.
fn browser() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("LAMBDA_TEST_BROWSER").filter(|path| !path.is_empty()) {
        return Some(path.into());
    }
    let search = std::env::var_os("PATH")?;
    std::env::split_paths(&search)
        .map(|directory| directory.join("chromium"))
        .find(|path| path.is_file())
}

/// Where `make test` installs playwright-core.
fn modules() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../.lambda/node/node_modules")
}

/// Runs a script of `browser/` against a server of its own.
async fn drive(script: &str) {
    let runtimes = runtimes();
    let (Some(browser), true) = (browser(), modules().join("playwright-core").is_dir()) else {
        return missing("browser");
    };
    if runtimes.len() < 2 {
        return;
    }
    let server = Server::start("").await;
    let profile = tempfile::tempdir().unwrap();
    let scripts = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/end_to_end/browser");
    let output = tokio::task::spawn_blocking({
        let mut command = Command::new("node");
        command
            .arg(scripts.join(script))
            .env("NODE_PATH", modules())
            .env("BROWSER", browser)
            .env("PROFILE", profile.path())
            .env("URL", server.url())
            .env("TOKEN", &server.token);
        move || command.output()
    })
    .await
    .unwrap()
    .unwrap();
    assert!(
        output.status.success(),
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(server.stop().await.is_empty());
}

#[tokio::test]
async fn a_person_can_create_run_see_metrics_and_go_back_to_a_version() {
    drive("original_log.cjs").await;
}

#[tokio::test]
async fn a_function_can_be_made_and_run_by_keyboard() {
    drive("keyboard.cjs").await;
}

#[tokio::test]
async fn every_screen_is_legible_in_light_and_dark_and_on_a_phone() {
    drive("looks.cjs").await;
}

#[tokio::test]
async fn nothing_that_a_function_or_its_owner_writes_runs_in_the_page() {
    drive("hostile.cjs").await;
}

#[tokio::test]
async fn files_and_archives_can_be_uploaded() {
    drive("upload.cjs").await;
}

#[tokio::test]
async fn what_a_person_types_is_kept() {
    drive("drafts.cjs").await;
}

#[tokio::test]
async fn output_is_live_and_the_cancel_button_cancels() {
    drive("live.cjs").await;
}

#[tokio::test]
async fn tokens_are_made_copied_used_and_revoked() {
    drive("tokens.cjs").await;
}

#[tokio::test]
async fn more_functions_than_an_answer_may_have_are_all_found() {
    drive("many.cjs").await;
}
