//! Objects under a prefix of a bucket, for the engine's port.
//! API: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-requests.html>

use std::{
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use aws_sdk_s3::{
    Client,
    operation::put_object::builders::PutObjectFluentBuilder,
    primitives::{ByteStream, DateTime, DateTimeFormat},
    types::ServerSideEncryption,
};
use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        interceptors::{Intercept, context::BeforeDeserializationInterceptorContextRef},
        orchestrator::HttpResponse,
        result::SdkError,
        runtime_components::RuntimeComponents,
    },
};
use aws_smithy_types::{config_bag::ConfigBag, error::metadata::ProvideErrorMetadata};
use rayplat_engine::{
    error::{ErrorClass, ProviderError},
    objects::{ETag, Fetched, ObjectError, ObjectStore},
    provider::BoxFuture,
    retry::{RetryPolicy, Schedule},
};

use super::{S3Place, classify};

/// Objects under a prefix of a bucket.
#[derive(Debug, Clone)]
pub struct S3Objects {
    s3: Client,
    place: S3Place,
    seed: u64,
}

impl S3Objects {
    /// The objects of this place. `seed` spreads the delays between attempts.
    pub fn new(s3: Client, place: S3Place, seed: u64) -> Self {
        Self { s3, place, seed }
    }

    fn key(&self, key: &str) -> String {
        if self.place.prefix.is_empty() { key.to_owned() } else { format!("{}/{key}", self.place.prefix) }
    }

    /// Sends a call until it is answered. What had no effect is repeated; what may have had one
    /// only if it is `safe`.
    async fn call<T, E, F, Fut>(&self, safe: bool, mut send: F) -> Result<T, ProviderError>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let mut schedule = Schedule::new(patience(), self.seed);
        loop {
            let error = match send().await {
                Ok(answer) => return Ok(answer),
                Err(error) => classify(error),
            };
            if error.class == ErrorClass::Ambiguous && !safe {
                return Err(error);
            }
            let Some(delay) = schedule.next(error.class) else { return Err(error) };
            tokio::time::sleep(delay).await;
        }
    }

    fn error(&self, operation: &str, error: ProviderError) -> ObjectError {
        let bucket = &self.place.bucket;
        let error = error.during("s3", operation);
        let reason = error.to_string();
        match error.code.as_deref() {
            Some("PreconditionFailed" | "NoSuchKey") => return ObjectError::Conflict,
            Some("NoSuchBucket") => {
                return ObjectError::NoPlace {
                    reason: format!("there is no bucket {bucket}"),
                    hint: self.how_to_make(),
                };
            }
            Some("PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException") => {
                let hint =
                    format!("The bucket is in another region: name it, as in s3://{bucket}/...?region=eu-west-1.");
                return ObjectError::Failed { reason, hint };
            }
            _ => {}
        }
        match error.class {
            ErrorClass::Ambiguous => ObjectError::Ambiguous(reason),
            ErrorClass::Denied => ObjectError::Denied {
                reason,
                hint: error.hint.clone().filter(|hint| hint.starts_with("No usable")).unwrap_or_else(|| {
                    format!(
                        "The state needs s3:GetObject, s3:PutObject and s3:DeleteObject on {bucket}/{}*, s3:ListBucket on \
                         {bucket}, and kms:GenerateDataKey and kms:Decrypt on its key if it has one.",
                        self.key("")
                    )
                }),
            },
            _ => {
                let hint = error.hint.unwrap_or_else(|| "Check the address of the state, then run again.".to_owned());
                ObjectError::Failed { reason, hint }
            }
        }
    }

    fn how_to_make(&self) -> String {
        let bucket = &self.place.bucket;
        format!(
            "Make it once, with versions (new buckets block public access by themselves): \
             aws s3api create-bucket --bucket {bucket} --region REGION (elsewhere than in us-east-1 with \
             --create-bucket-configuration LocationConstraint=REGION), then \
             aws s3api put-bucket-versioning --bucket {bucket} --versioning-configuration Status=Enabled. \
             On the rehearsal account: rayplat rehearse make-bucket {bucket}."
        )
    }

    fn put(&self, key: &str, body: &[u8]) -> PutObjectFluentBuilder {
        let put = self.s3.put_object().bucket(&self.place.bucket).key(self.key(key));
        let put = put.body(ByteStream::from(body.to_vec())).content_type("application/octet-stream");
        match &self.place.kms_key_id {
            Some(key) => {
                put.server_side_encryption(ServerSideEncryption::AwsKms).ssekms_key_id(key).bucket_key_enabled(true)
            }
            None => put.server_side_encryption(ServerSideEncryption::Aes256),
        }
    }

    /// Writes where nothing is, or in place of exactly `expected`.
    async fn sent(&self, key: &str, body: &[u8], expected: Option<&ETag>) -> Result<ETag, ObjectError> {
        let send = || {
            let put = self.put(key, body);
            match expected {
                Some(etag) => put.if_match(&etag.0),
                None => put.if_none_match("*"),
            }
            .send()
        };
        let answer = self.call(false, send).await.map_err(|error| self.error("PutObject", error))?;
        let etag =
            answer.e_tag.ok_or_else(|| ObjectError::Ambiguous("the answer to PutObject has no ETag".to_owned()))?;
        Ok(ETag(etag))
    }

    async fn fetch(&self, key: &str) -> Result<Option<Fetched>, ObjectError> {
        let key = self.key(key);
        let date = ServerDate::default();
        let fetched = self
            .call(true, || {
                let get =
                    self.s3.get_object().bucket(&self.place.bucket).key(&key).customize().interceptor(date.clone());
                async { get.send().await }
            })
            .await;
        let answer = match fetched {
            Ok(answer) => answer,
            Err(error) if error.code.as_deref() == Some("NoSuchKey") => return Ok(None),
            Err(error) => return Err(self.error("GetObject", error)),
        };
        let etag = answer.e_tag.clone().map(ETag);
        let age = date.since(answer.last_modified);
        let body = answer.body.collect().await.map_err(|error| ObjectError::Ambiguous(error.to_string()))?;
        let etag = etag.ok_or_else(|| ObjectError::Ambiguous("the answer to GetObject has no ETag".to_owned()))?;
        Ok(Some(Fetched { body: body.to_vec(), etag, age }))
    }

    async fn keys(&self, prefix: &str) -> Result<Vec<String>, ObjectError> {
        let (whole, own) = (self.key(prefix), self.key(""));
        let mut keys = Vec::new();
        let mut token = None;
        loop {
            let list = self.s3.list_objects_v2().bucket(&self.place.bucket).prefix(&whole);
            let page = self
                .call(true, || list.clone().set_continuation_token(token.clone()).send())
                .await
                .map_err(|error| self.error("ListObjectsV2", error))?;
            let inside = page.contents().iter().filter_map(|object| object.key()?.strip_prefix(&own));
            keys.extend(inside.map(str::to_owned));
            token = page.next_continuation_token().map(str::to_owned);
            if token.is_none() {
                keys.sort();
                return Ok(keys);
            }
        }
    }
}

/// Two calls at the same moment (409 ConditionalRequestConflict) and throttling pass soon: who
/// waits for the state waits for nothing else.
fn patience() -> RetryPolicy {
    let mut policy = RetryPolicy::default();
    policy.busy.base = Duration::from_millis(100);
    policy.busy.budget = Duration::from_secs(30);
    policy.throttled.budget = Duration::from_secs(30);
    policy.ambiguous.budget = Duration::from_secs(30);
    policy
}

impl ObjectStore for S3Objects {
    fn place(&self) -> String {
        self.place.to_string()
    }

    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Fetched>, ObjectError>> {
        Box::pin(self.fetch(key))
    }

    fn put_if_absent<'a>(&'a self, key: &'a str, body: &'a [u8]) -> BoxFuture<'a, Result<ETag, ObjectError>> {
        Box::pin(self.sent(key, body, None))
    }

    fn put_if_match<'a>(
        &'a self,
        key: &'a str,
        body: &'a [u8],
        etag: &'a ETag,
    ) -> BoxFuture<'a, Result<ETag, ObjectError>> {
        Box::pin(self.sent(key, body, Some(etag)))
    }

    fn delete<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), ObjectError>> {
        Box::pin(async move {
            let delete = self.s3.delete_object().bucket(&self.place.bucket).key(self.key(key));
            self.call(true, || delete.clone().send()).await.map(drop).map_err(|error| self.error("DeleteObject", error))
        })
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>, ObjectError>> {
        Box::pin(self.keys(prefix))
    }
}

/// The date of the last answer, by the server's clock.
#[derive(Debug, Clone, Default)]
struct ServerDate(Arc<Mutex<Option<DateTime>>>);

impl ServerDate {
    /// How long before this date an object was written. Without a date (which HTTP wants of
    /// every server with a clock) this machine's clock must do.
    fn since(&self, written: Option<DateTime>) -> Duration {
        let date = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = date.unwrap_or_else(|| DateTime::from(SystemTime::now()));
        let seconds = written.map_or(0, |written| now.secs() - written.secs());
        Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
    }
}

#[aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint]
impl Intercept for ServerDate {
    fn name(&self) -> &'static str {
        "ServerDate"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let header = context.response().headers().get("date");
        let date = header.and_then(|text| DateTime::from_str(text, DateTimeFormat::HttpDate).ok());
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = date;
        Ok(())
    }
}

#[cfg(all(test, feature = "rehearsal"))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;
    use crate::{
        aws::scripted::{Answer, Scripted},
        rehearsal::{Rehearsal, Seed},
    };

    fn account() -> Rehearsal {
        let seed = Seed { account_id: "123456789012".into(), region: "us-east-1".into(), seed: 1 };
        Rehearsal::in_memory(&seed, 1_795_478_400_000)
    }

    fn objects(s3: Client, place: &str) -> S3Objects {
        S3Objects::new(s3, place.parse().unwrap(), 1)
    }

    #[tokio::test(start_paused = true)]
    async fn conditions_hold_and_keys_are_under_the_prefix() {
        let account = account();
        account.with_account(|account| account.handle("s3", "CreateBucket", &json!({"Bucket": "state"}))).unwrap();
        let objects = objects(account.clients().s3, "s3://state/a/b");
        assert_eq!(objects.get("x").await, Ok(None));
        let first = objects.put_if_absent("x", b"1").await.unwrap();
        assert_eq!(objects.put_if_absent("x", b"2").await, Err(ObjectError::Conflict));
        let second = objects.put_if_match("x", b"2", &first).await.unwrap();
        assert_eq!(objects.put_if_match("x", b"3", &first).await, Err(ObjectError::Conflict));
        assert_eq!(objects.put_if_match("y", b"3", &first).await, Err(ObjectError::Conflict));
        tokio::time::sleep(Duration::from_secs(90)).await;
        let found = objects.get("x").await.unwrap().unwrap();
        assert_eq!((found.body, found.etag), (b"2".to_vec(), second));
        assert!((89..=91).contains(&found.age.as_secs()), "{:?}", found.age);
        objects.put_if_absent("journal/2", b"").await.unwrap();
        objects.put_if_absent("journal/1", b"").await.unwrap();
        assert_eq!(objects.list("journal/").await.unwrap(), ["journal/1", "journal/2"]);
        objects.delete("x").await.unwrap();
        objects.delete("x").await.unwrap();
        assert_eq!(objects.get("x").await, Ok(None));
        let keys =
            account.with_account(|account| account.s3.buckets["state"].objects.keys().cloned().collect::<Vec<_>>());
        assert_eq!(keys, ["a/b/journal/1", "a/b/journal/2"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_missing_bucket_says_how_to_make_it() {
        let objects = objects(account().clients().s3, "s3://none/x");
        for error in [objects.get("a").await.unwrap_err(), objects.list("").await.unwrap_err()] {
            let ObjectError::NoPlace { reason, hint } = error else { panic!("{error:?}") };
            assert_eq!(reason, "there is no bucket none");
            assert!(hint.contains("create-bucket --bucket none") && hint.contains("Status=Enabled"), "{hint}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_lost_answer_is_not_sent_again_but_a_refused_one_is() {
        let services = Scripted::new(|_, _| Answer::Lost);
        let objects_ = objects(services.clients().s3, "s3://b?kms_key_id=k1");
        assert!(matches!(objects_.put_if_absent("x", b"1").await, Err(ObjectError::Ambiguous(_))));
        let sent = services.params("PutObject");
        assert_eq!(sent.len(), 1);
        assert_eq!((&sent[0]["ServerSideEncryption"], &sent[0]["SSEKMSKeyId"]), (&json!("aws:kms"), &json!("k1")));
        assert_eq!(sent[0]["IfNoneMatch"], "*");

        let mut refusals = vec![
            Answer::refused(503, "SlowDown", "Please reduce your request rate."),
            Answer::refused(409, "ConditionalRequestConflict", "A conflicting conditional operation is in progress"),
        ];
        let services = Scripted::new(move |_, _| refusals.pop().unwrap_or_else(|| json!({"ETag": "\"e\""}).into()));
        let objects_ = objects(services.clients().s3, "s3://b/");
        assert_eq!(objects_.put_if_absent("x", b"1").await, Ok(ETag("\"e\"".into())));
        assert_eq!(services.params("PutObject").len(), 3);
        assert_eq!(services.params("PutObject")[0]["ServerSideEncryption"], "AES256");

        let services = Scripted::new(|_, _| Answer::refused(403, "AccessDenied", "no"));
        let refused = objects(services.clients().s3, "s3://b/p").list("").await.unwrap_err();
        let ObjectError::Denied { hint, .. } = refused else { panic!("{refused:?}") };
        assert!(hint.contains("s3:ListBucket on b"), "{hint}");
    }
}
