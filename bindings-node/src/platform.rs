//! The platform, as lib/platform.ts calls it.

use std::time::Duration;

use lambda_core::model::{
    AliasName, CodeSource, FunctionId, FunctionRef, Qualifier, RevisionId, TokenDigest,
};
use lambda_core::{Error, NewFunction, Platform, Result};
use napi::Env;
use napi::bindgen_prelude::PromiseRaw;
use napi_derive::napi;

use crate::error::to_js;
use crate::function::{AliasInfo, FunctionCode, FunctionInfo, FunctionPage, FunctionSpec};
use crate::history::{InvocationFigures, InvocationInfo, InvocationPage, NativeFilter};
use crate::invocation::{
    self, NativeCancel, NativeInvocation, NativeOutcome, NativeRequest, NativeTest,
};
use crate::logs::NativeLogs;
use crate::options::{self, PlatformOptions};
use crate::state::{CheckFinding, PoolState, ReadinessState, RecorderState};
use crate::token::{self, NativeNewToken, NativeToken};

/// What code that is tested sees as its function's name, as over HTTP.
const TEST_NAME: &str = "test";

#[napi]
pub struct NativePlatform(Platform);

/// Starts a platform. `fake`: with acted sandboxes, in tests.
#[napi]
pub async fn open(options: PlatformOptions, fake: bool) -> napi::Result<NativePlatform> {
    let platform = options::open(options, fake).await.map_err(to_js)?;
    Ok(NativePlatform(platform))
}

/// Comes back from another thread and does nothing besides: what crossing over costs.
#[napi]
pub async fn crossing() {}

#[napi]
impl NativePlatform {
    #[napi]
    pub fn execute<'env>(
        &self,
        env: &'env Env,
        request: NativeRequest,
        cancel: Option<&NativeCancel>,
    ) -> napi::Result<PromiseRaw<'env, Option<NativeOutcome>>> {
        invocation::execute(env, self.0.clone(), request, cancel)
    }

    #[napi]
    pub async fn start(&self, request: NativeRequest) -> napi::Result<NativeInvocation> {
        let request = request.try_into().map_err(to_js)?;
        let invocation = self.0.start(request).await.map_err(to_js)?;
        Ok(NativeInvocation::new(invocation))
    }

    #[napi]
    pub fn test<'env>(
        &self,
        env: &'env Env,
        spec: FunctionSpec,
        test: NativeTest,
        cancel: Option<&NativeCancel>,
    ) -> napi::Result<PromiseRaw<'env, Option<NativeOutcome>>> {
        let token = cancel.map(NativeCancel::token);
        let platform = self.0.clone();
        env.spawn_future(async move {
            let request = test_request(spec, test).await;
            invocation::test(platform, request, token)
                .await
                .map_err(to_js)
        })
    }

    #[napi]
    pub async fn start_test(
        &self,
        spec: FunctionSpec,
        test: NativeTest,
    ) -> napi::Result<NativeInvocation> {
        let start = async {
            let request = test_request(spec, test).await?;
            self.0.start_test(request).await
        };
        Ok(NativeInvocation::new(start.await.map_err(to_js)?))
    }

    #[napi]
    pub async fn cancel(&self, request_id: String) -> napi::Result<()> {
        let cancel = async { self.0.cancel(request_id.parse()?).await };
        cancel.await.map_err(to_js)
    }

    #[napi]
    pub async fn follow_invocation(
        &self,
        request_id: String,
        position: Option<String>,
    ) -> napi::Result<NativeLogs> {
        let follow = async {
            let position = position.map(|text| text.parse()).transpose()?;
            let id = request_id.parse()?;
            self.0
                .follow_invocation(id, position.unwrap_or_default())
                .await
        };
        Ok(follow.await.map_err(to_js)?.into())
    }

    #[napi]
    pub async fn follow_function(
        &self,
        name: String,
        after: Option<String>,
    ) -> napi::Result<NativeLogs> {
        let follow = async {
            let after = after.map(|text| text.parse()).transpose()?;
            let id = self.0.function_get(&name.parse()?).await?.id;
            Ok(self.0.follow_function(id, after))
        };
        Ok(follow.await.map_err(to_js)?.into())
    }

    #[napi]
    pub fn follow_all(&self, after: Option<String>) -> napi::Result<NativeLogs> {
        let after = after.map(|text| text.parse()).transpose();
        Ok(self.0.follow_all(after.map_err(to_js)?).into())
    }

    #[napi]
    pub async fn deploy(&self, spec: FunctionSpec) -> napi::Result<FunctionInfo> {
        let new = new_function(spec).await.map_err(to_js)?;
        Ok(self.0.deploy(new).await.map_err(to_js)?.into())
    }

    #[napi]
    pub async fn function_create(&self, spec: FunctionSpec) -> napi::Result<FunctionInfo> {
        let new = new_function(spec).await.map_err(to_js)?;
        Ok(self.0.function_create(new).await.map_err(to_js)?.into())
    }

    #[napi]
    pub async fn function_update(
        &self,
        name: String,
        spec: FunctionSpec,
        cleared: Vec<String>,
    ) -> napi::Result<FunctionInfo> {
        let update = async {
            let patch = blocking(move || spec.into_patch(&cleared)).await?;
            self.0.function_update(&name.parse()?, patch).await
        };
        Ok(update.await.map_err(to_js)?.into())
    }

    #[napi]
    pub async fn function_get(
        &self,
        name: String,
        qualifier: Option<String>,
    ) -> napi::Result<FunctionInfo> {
        let get = self.get(&name, qualifier.as_deref());
        Ok(get.await.map_err(to_js)?.into())
    }

    #[napi]
    pub async fn function_code(
        &self,
        name: String,
        qualifier: Option<String>,
    ) -> napi::Result<FunctionCode> {
        let code = async {
            let function = self.get(&name, qualifier.as_deref()).await?;
            Ok(match self.0.function_code(&function).await? {
                CodeSource::Inline(text) => FunctionCode {
                    code: Some(text),
                    zip: None,
                },
                CodeSource::Zip(bytes) => FunctionCode {
                    code: None,
                    zip: Some(Vec::from(bytes).into()),
                },
                CodeSource::ZipFile(_) => {
                    return Err(Error::internal("function_code", "A store gave a file."));
                }
            })
        };
        code.await.map_err(to_js)
    }

    #[napi]
    pub async fn function_list(
        &self,
        limit: u32,
        cursor: Option<String>,
    ) -> napi::Result<FunctionPage> {
        let page = self.0.function_list(limit, cursor).await.map_err(to_js)?;
        Ok(FunctionPage {
            items: page.items.into_iter().map(Into::into).collect(),
            next: page.next,
        })
    }

    #[napi]
    pub async fn function_delete(&self, name: String) -> napi::Result<()> {
        let delete = async { self.0.function_delete(&name.parse()?).await };
        delete.await.map_err(to_js)
    }

    #[napi]
    pub async fn version_list(
        &self,
        name: String,
        limit: u32,
        cursor: Option<String>,
    ) -> napi::Result<FunctionPage> {
        let list = async { self.0.version_list(&name.parse()?, limit, cursor).await };
        let page = list.await.map_err(to_js)?;
        Ok(FunctionPage {
            items: page.items.into_iter().map(Into::into).collect(),
            next: page.next,
        })
    }

    #[napi]
    pub async fn alias_set(
        &self,
        name: String,
        alias: String,
        version: u32,
        expected_revision: Option<String>,
    ) -> napi::Result<FunctionInfo> {
        let set = async {
            let expected = expected_revision.map(|id| id.parse::<RevisionId>());
            let alias = AliasName::new(alias)?;
            self.0
                .alias_set(&name.parse()?, alias, version, expected.transpose()?)
                .await
        };
        Ok(set.await.map_err(to_js)?.into())
    }

    #[napi]
    pub async fn alias_list(&self, name: String) -> napi::Result<Vec<AliasInfo>> {
        let list = async { self.0.alias_list(&name.parse()?).await };
        let aliases = list.await.map_err(to_js)?.into_iter();
        Ok(aliases
            .map(|alias| AliasInfo {
                name: alias.name.into(),
                version: alias.version,
            })
            .collect())
    }

    #[napi]
    pub async fn alias_delete(&self, name: String, alias: String) -> napi::Result<()> {
        let delete = async {
            let alias = AliasName::new(alias)?;
            self.0.alias_delete(&name.parse()?, alias).await
        };
        delete.await.map_err(to_js)
    }

    #[napi]
    pub async fn invocation_list(&self, filter: NativeFilter) -> napi::Result<InvocationPage> {
        let list = async {
            let id = self.id_of(filter.function.as_deref()).await?;
            self.0.invocation_list(filter.list(id)?).await
        };
        let page = list.await.map_err(to_js)?;
        Ok(InvocationPage {
            items: page.items.into_iter().map(Into::into).collect(),
            next: page.next,
        })
    }

    #[napi]
    pub async fn invocation_get(&self, request_id: String) -> napi::Result<InvocationInfo> {
        let get = async { self.0.invocation_get(request_id.parse()?).await };
        Ok(get.await.map_err(to_js)?.into())
    }

    #[napi]
    pub async fn invocation_summary(
        &self,
        filter: NativeFilter,
    ) -> napi::Result<InvocationFigures> {
        let summary = async {
            let id = self.id_of(filter.function.as_deref()).await?;
            self.0.invocation_summary(filter.summarize(id)?).await
        };
        Ok(summary.await.map_err(to_js)?.into())
    }

    #[napi]
    pub async fn token_create(
        &self,
        name: String,
        scopes: Vec<String>,
    ) -> napi::Result<NativeNewToken> {
        let create = async { self.0.token_create(&name, token::scopes(&scopes)?).await };
        let (token, secret) = create.await.map_err(to_js)?;
        Ok(NativeNewToken {
            token: token.into(),
            secret,
        })
    }

    #[napi]
    pub async fn token_find(&self, secret: String) -> napi::Result<Option<NativeToken>> {
        let found = self.0.token_find(TokenDigest::of(&secret)).await;
        Ok(found.map_err(to_js)?.map(Into::into))
    }

    #[napi]
    pub async fn token_list(&self) -> napi::Result<Vec<NativeToken>> {
        let tokens = self.0.token_list().await.map_err(to_js)?;
        Ok(tokens.into_iter().map(Into::into).collect())
    }

    #[napi]
    pub async fn token_delete(&self, id: String) -> napi::Result<()> {
        let delete = async { self.0.token_delete(id.parse()?).await };
        delete.await.map_err(to_js)
    }

    #[napi]
    pub async fn readiness(&self, patience_ms: u32) -> ReadinessState {
        let patience = Duration::from_millis(patience_ms.into());
        self.0.readiness(patience).await.into()
    }

    #[napi]
    pub fn recorder_status(&self) -> Option<RecorderState> {
        self.0.recorder_status().map(Into::into)
    }

    #[napi]
    pub fn runtimes(&self) -> Vec<String> {
        let names = self.0.runtimes().into_iter();
        names.map(Into::into).collect()
    }

    #[napi]
    pub fn pool_stats(&self) -> Option<PoolState> {
        self.0.pool_stats().map(Into::into)
    }

    #[napi]
    pub async fn check(&self, thorough: bool) -> Vec<CheckFinding> {
        let findings = self.0.check(thorough).await.into_iter();
        findings.map(Into::into).collect()
    }

    #[napi]
    pub async fn close(&self) {
        self.0.close().await;
    }
}

impl NativePlatform {
    async fn get(
        &self,
        function: &str,
        qualifier: Option<&str>,
    ) -> Result<lambda_core::model::Function> {
        let qualifier = qualifier.map_or(Ok(Qualifier::Current), str::parse)?;
        self.0.function_get_at(&function.parse()?, qualifier).await
    }

    /// An id is taken as it is: a deleted function's records are still there.
    async fn id_of(&self, function: Option<&str>) -> Result<Option<FunctionId>> {
        Ok(match function.map(str::parse).transpose()? {
            None => None,
            Some(FunctionRef::Id(id)) => Some(id),
            Some(name) => Some(self.0.function_get(&name).await?.id),
        })
    }
}

async fn test_request(
    mut spec: FunctionSpec,
    test: NativeTest,
) -> Result<lambda_core::TestRequest> {
    spec.name.get_or_insert_with(|| TEST_NAME.to_owned());
    invocation::test_request(new_function(spec).await?, test)
}

async fn new_function(spec: FunctionSpec) -> Result<NewFunction> {
    blocking(move || spec.into_new()).await
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        Error::internal("package_read", "Reading the code failed.").source(error)
    })?
}
