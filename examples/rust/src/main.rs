//! An application that embeds the platform: deploys a function and runs it in Docker and in
//! gVisor.

use std::sync::Arc;

use lambda_store::runtime::{ContainerOptions, DockerRuntime, GvisorRuntime};
use lambda_store::{ExecuteRequest, NewFunction, Platform, Result, model::RuntimeName};

#[tokio::main]
async fn main() -> Result<()> {
    let data_dir = std::env::temp_dir().join("lambda-example");
    let options = ContainerOptions::new(&data_dir);
    let platform = Platform::builder()
        .data_dir(data_dir)
        .store(lambda_store::open("sqlite::memory:").await?)
        .runtime(Arc::new(DockerRuntime::connect(options.clone())?))
        .runtime(Arc::new(GvisorRuntime::connect(options)?))
        .build()
        .await?;

    let source = "import sys\nprint(f'Hello, {sys.argv[1]}!')";
    let hello = platform
        .deploy(NewFunction::python("hello", source)?)
        .await?;
    for runtime in [RuntimeName::docker(), RuntimeName::gvisor()] {
        let request = ExecuteRequest::new(hello.id)
            .args(["Alice"])
            .runtime(runtime);
        let outcome = platform.execute(request).await?;
        let output = outcome.output_text().unwrap_or_default();
        println!(
            "{}: {output} ({:?})",
            outcome.runtime, outcome.timings.total
        );
    }
    platform.close().await;
    Ok(())
}
