//! The certificate that vouches for an issuer of tokens, looked up by a TLS handshake.
//!
//! IAM wants the fingerprint of "the top intermediate CA", and says where it stands: the last
//! certificate that the server presents
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_create_oidc_verify-thumbprint.html>).
//! Not the leaf, which is renewed every few months: aws-cdk#8607. A root that the server
//! leaves out is not added: IAM compares with what is presented.

use std::{sync::Arc, time::Duration};

use rayplat_engine::{
    context::{Ctx, Repeat},
    error::{ErrorClass, ProviderError},
    inputs, outputs,
    provider::{BoxFuture, Created, Current, Observed, Provider, Reading, Recovered},
};
use sha1::{Digest, Sha1};
use tokio::net::TcpStream;
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, ServerName},
    },
};

use super::{IssuerUrl, unexpected};

inputs! {
    /// An issuer to be asked for its certificate.
    pub struct IssuerCertificateInputs, IssuerCertificateArgs {
        /// The issuer.
        pub issuer: IssuerUrl,
    }
}

outputs! {
    /// The certificate found.
    pub struct IssuerCertificateOutputs, IssuerCertificateRefs {
        /// SHA-1 of the top certificate presented, 40 lower-case hex digits.
        pub sha1_fingerprint: String,
        /// The same as a list of one, as an OpenID Connect provider takes it.
        pub thumbprints: Vec<String>,
        /// The issuer.
        pub issuer: IssuerUrl,
    }
}

/// Where chains of certificates come from.
pub trait ChainSource: Send + Sync + 'static {
    /// The certificates (DER) that a server presents, its own first.
    ///
    /// The future's errors: no connection, or a chain that cannot be trusted.
    fn chain<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, Result<Vec<Vec<u8>>, ProviderError>>;
}

/// A function may stand for the network, e.g. in a rehearsal.
impl<F> ChainSource for F
where
    F: Fn(&str, u16) -> Result<Vec<Vec<u8>>, ProviderError> + Send + Sync + 'static,
{
    fn chain<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, Result<Vec<Vec<u8>>, ProviderError>> {
        Box::pin(async move { self(host, port) })
    }
}

/// The same chain for every server.
#[derive(Debug, Clone)]
pub struct FixedChain(pub Vec<Vec<u8>>);

impl ChainSource for FixedChain {
    fn chain<'a>(&'a self, _: &'a str, _: u16) -> BoxFuture<'a, Result<Vec<Vec<u8>>, ProviderError>> {
        Box::pin(async move { Ok(self.0.clone()) })
    }
}

/// Real servers, trusted if the machine trusts their root.
#[derive(Debug, Clone, Default)]
pub struct NetworkChain {
    roots: Option<Arc<RootCertStore>>,
}

/// A handshake that takes longer has failed.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(15);

impl NetworkChain {
    /// Trusts these roots in place of the machine's.
    pub fn with_roots(roots: RootCertStore) -> Self {
        Self { roots: Some(Arc::new(roots)) }
    }

    async fn roots(&self) -> Result<Arc<RootCertStore>, ProviderError> {
        if let Some(roots) = &self.roots {
            return Ok(roots.clone());
        }
        let loaded = tokio::task::spawn_blocking(rustls_native_certs::load_native_certs)
            .await
            .map_err(|error| ProviderError::new(ErrorClass::Failed, format!("loading root certificates: {error}")))?;
        let mut roots = RootCertStore::empty();
        let (usable, _) = roots.add_parsable_certificates(loaded.certs);
        if usable == 0 {
            let why = loaded.errors.first().map_or_else(|| "none found".to_owned(), ToString::to_string);
            return Err(ProviderError::new(
                ErrorClass::Invalid,
                format!("this machine has no root certificates: {why}"),
            )
            .hint("Install the operating system's package of CA certificates (ca-certificates)."));
        }
        Ok(Arc::new(roots))
    }

    async fn handshake(&self, host: &str, port: u16) -> Result<Vec<Vec<u8>>, ProviderError> {
        let name = ServerName::try_from(host.to_owned()).map_err(|_| no_issuer(host))?;
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| ProviderError::new(ErrorClass::Invalid, format!("TLS: {error}")))?
            .with_root_certificates(self.roots().await?)
            .with_no_client_auth();
        let tcp = TcpStream::connect((host, port)).await.map_err(|error| broken(host, port, &error))?;
        let tls = TlsConnector::from(Arc::new(config)).connect(name, tcp).await.map_err(|e| broken(host, port, &e))?;
        let chain = tls.get_ref().1.peer_certificates().unwrap_or_default();
        Ok(chain.iter().map(|certificate: &CertificateDer<'_>| certificate.to_vec()).collect())
    }
}

impl ChainSource for NetworkChain {
    fn chain<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, Result<Vec<Vec<u8>>, ProviderError>> {
        Box::pin(async move {
            tokio::time::timeout(HANDSHAKE_LIMIT, self.handshake(host, port)).await.unwrap_or_else(|_| {
                let seconds = HANDSHAKE_LIMIT.as_secs();
                Err(unreachable(host, port, &format!("no TLS handshake within {seconds} s")))
            })
        })
    }
}

/// A certificate that is not trusted stays so; everything else may pass.
fn broken(host: &str, port: u16, error: &std::io::Error) -> ProviderError {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<tokio_rustls::rustls::Error>());
    match tls {
        Some(tokio_rustls::rustls::Error::InvalidCertificate(reason)) => ProviderError::new(
            ErrorClass::Invalid,
            format!("the certificate of {host}:{port} is not trusted: {reason}"),
        )
        .hint(
            "Something between here and the issuer may intercept TLS, or this machine's root certificates are old. Its \
             fingerprint must not be trusted; leave the thumbprint to AWS (cluster.oidc.manage_thumbprint: false).",
        ),
        _ => unreachable(host, port, &error.to_string()),
    }
}

fn unreachable(host: &str, port: u16, why: &str) -> ProviderError {
    ProviderError::new(ErrorClass::Ambiguous, format!("{host}:{port} does not answer: {why}")).hint(
        "Reading the issuer's certificate needs a direct connection to it; without one, leave the thumbprint to AWS \
         (cluster.oidc.manage_thumbprint: false).",
    )
}

fn no_issuer(url: &str) -> ProviderError {
    ProviderError::new(ErrorClass::Invalid, format!("`{url}` is not the address of an issuer (https://HOST/PATH)"))
}

/// Host and port of an issuer; tokens are only ever issued over HTTPS.
fn address(issuer: &IssuerUrl) -> Result<(String, u16), ProviderError> {
    let url = issuer.as_str();
    let uri: http::Uri = url.parse().map_err(|_| no_issuer(url))?;
    match (uri.scheme_str(), uri.host()) {
        (Some("https"), Some(host)) if !host.is_empty() => Ok((host.to_owned(), uri.port_u16().unwrap_or(443))),
        _ => Err(no_issuer(url)),
    }
}

/// The kind. It makes nothing: it only looks.
pub struct IssuerCertificate {
    source: Arc<dyn ChainSource>,
}

impl IssuerCertificate {
    /// The kind, asking `source`.
    pub fn new(source: impl ChainSource) -> Self {
        Self { source: Arc::new(source) }
    }

    async fn look(&self, ctx: &Ctx, issuer: &IssuerUrl) -> Result<IssuerCertificateOutputs, ProviderError> {
        let (host, port) = address(issuer)?;
        let chain = ctx.call("tls", "Handshake", Repeat::Safe, || self.source.chain(&host, port)).await?;
        let top = chain.last().ok_or_else(|| unexpected("the TLS handshake", "certificate"))?;
        let sha1_fingerprint = hex::encode(Sha1::digest(top));
        Ok(IssuerCertificateOutputs {
            thumbprints: vec![sha1_fingerprint.clone()],
            sha1_fingerprint,
            issuer: issuer.clone(),
        })
    }
}

impl Provider for IssuerCertificate {
    type Inputs = IssuerCertificateInputs;
    type Outputs = IssuerCertificateOutputs;

    const TYPE: &'static str = "tls:IssuerCertificate";
    const DATA: bool = true;

    async fn create(&self, ctx: &Ctx, inputs: &Self::Inputs) -> Result<Created<Self::Outputs>, ProviderError> {
        let outputs = self.look(ctx, &inputs.issuer).await?;
        Ok(Created { id: inputs.issuer.0.clone(), outputs })
    }

    async fn read(
        &self,
        ctx: &Ctx,
        current: &Current<Self::Inputs, Self::Outputs>,
    ) -> Reading<Self::Inputs, Self::Outputs> {
        let outputs = self.look(ctx, &current.inputs.issuer).await?;
        Ok(Some(Observed { inputs: current.inputs.clone(), outputs }))
    }

    async fn delete(&self, _: &Ctx, _: &Current<Self::Inputs, Self::Outputs>) -> Result<(), ProviderError> {
        Ok(())
    }

    async fn recover(&self, _: &Ctx, _: &Self::Inputs) -> Result<Recovered, ProviderError> {
        Ok(Recovered::Absent)
    }
}

#[cfg(all(test, feature = "rehearsal"))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
    use tokio::net::TcpListener;
    use tokio_rustls::{
        TlsAcceptor,
        rustls::{ServerConfig, pki_types::PrivateKeyDer},
    };

    use super::*;
    use crate::aws::scripted::ctx;

    /// A root, and a chain of leaf and intermediate under it: the root is not presented.
    struct Pki {
        root: CertificateDer<'static>,
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    }

    fn authority(name: &str) -> CertificateParams {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        params.key_usages.push(KeyUsagePurpose::KeyCertSign);
        params
    }

    fn pki() -> Pki {
        let root_key = KeyPair::generate().unwrap();
        let root = authority("root").self_signed(&root_key).unwrap().der().clone();
        let root_issuer = Issuer::new(authority("root"), root_key);
        let middle_key = KeyPair::generate().unwrap();
        let middle = authority("middle").signed_by(&middle_key, &root_issuer).unwrap().der().clone();
        let middle_issuer = Issuer::new(authority("middle"), middle_key);
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let leaf = leaf.signed_by(&key, &middle_issuer).unwrap().der().clone();
        Pki { root, chain: vec![leaf, middle], key: PrivateKeyDer::try_from(key.serialize_der()).unwrap() }
    }

    /// Serves handshakes until the test ends; gives the port.
    async fn serve(pki: &Pki) -> u16 {
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(pki.chain.clone(), pki.key.clone_key())
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                // A client that does not trust the chain breaks the handshake off.
                drop(acceptor.accept(tcp).await);
            }
        });
        port
    }

    fn trusting(root: &CertificateDer<'static>) -> NetworkChain {
        let mut roots = RootCertStore::empty();
        roots.add(root.clone()).unwrap();
        NetworkChain::with_roots(roots)
    }

    #[tokio::test]
    async fn the_top_certificate_presented_counts() {
        let pki = pki();
        let port = serve(&pki).await;
        let kind = IssuerCertificate::new(trusting(&pki.root));
        let inputs = IssuerCertificateInputs { issuer: format!("https://localhost:{port}/id/AB12").into() };
        let created = kind.create(&ctx(IssuerCertificate::TYPE, None), &inputs).await.unwrap();
        let middle = hex::encode(Sha1::digest(&pki.chain[1]));
        assert_eq!(created.outputs.sha1_fingerprint, middle);
        assert_eq!(created.outputs.thumbprints, [middle]);
    }

    #[tokio::test]
    async fn a_chain_that_is_not_trusted_is_an_error() {
        let served = pki();
        let port = serve(&served).await;
        let error = trusting(&pki().root).chain("localhost", port).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Invalid);
        assert!(error.message.contains("not trusted"), "{error}");
    }

    #[tokio::test]
    async fn a_certificate_for_another_name_is_an_error() {
        let pki = pki();
        let port = serve(&pki).await;
        let error = trusting(&pki.root).chain("127.0.0.1", port).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Invalid, "{error}");
    }

    #[tokio::test]
    async fn no_connection_may_pass() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let error = NetworkChain::default().chain("127.0.0.1", port).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Ambiguous, "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn other_sources_stand_for_the_network() {
        let inputs = IssuerCertificateInputs { issuer: "https://issuer.example/id/1".into() };
        let ctx = ctx(IssuerCertificate::TYPE, None);
        let fixed = IssuerCertificate::new(FixedChain(vec![b"leaf".to_vec(), b"top".to_vec()]));
        let from_fixed = fixed.create(&ctx, &inputs).await.unwrap().outputs;
        assert_eq!(from_fixed.sha1_fingerprint, hex::encode(Sha1::digest(b"top")));
        let closure = IssuerCertificate::new(|host: &str, port: u16| {
            assert_eq!((host, port), ("issuer.example", 443));
            Ok(vec![b"top".to_vec()])
        });
        assert_eq!(closure.create(&ctx, &inputs).await.unwrap().outputs, from_fixed);
        let empty = IssuerCertificate::new(FixedChain(Vec::new()));
        assert!(empty.create(&ctx, &inputs).await.is_err());
    }

    #[test]
    fn addresses() {
        let of = |url: &str| address(&url.into()).ok();
        assert_eq!(of("https://a.example/id/1"), Some(("a.example".to_owned(), 443)));
        assert_eq!(of("https://a.example:8443"), Some(("a.example".to_owned(), 8443)));
        for wrong in ["http://a.example", "a.example/id", "https://", ""] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
    }
}
