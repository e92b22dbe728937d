use std::time::Duration;

use futures::future::join_all;
use redis::{
    Client, Cmd, IntoConnectionInfo as _, Pipeline, RedisFuture, RedisResult, Value,
    aio::{ConnectionLike, ConnectionManager, ConnectionManagerConfig, PubSub},
    cluster::{ClusterClient, ClusterClientBuilder},
    cluster_async::ClusterConnection,
};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::time;

use super::{
    LIMIT,
    leases::{CLAIM, RELEASE, RENEW, SWAP},
    notices::TELL,
};

/// Where Redis is.
pub(super) struct Source {
    /// In a cluster, some of its nodes: each hears what is published at any.
    nodes: Vec<Client>,
    cluster: Option<ClusterClient>,
    /// As the log shows it, without a password.
    pub(super) address: String,
}

/// An open connection, shared by all calls.
#[derive(Clone)]
pub(super) enum Link {
    Node(ConnectionManager),
    Cluster(ClusterConnection),
}

impl Source {
    pub(super) fn parse(urls: &[SecretString]) -> Result<Self, String> {
        let (mut nodes, mut shown) = (Vec::new(), Vec::new());
        for url in urls {
            let info = url.expose_secret().into_connection_info();
            let info = info.map_err(|error| error.to_string())?;
            if matches!(info.addr(), redis::ConnectionAddr::TcpTls { .. }) {
                choose_crypto();
            }
            shown.push(info.addr().to_string());
            nodes.push(Client::open(info).map_err(|error| error.to_string())?);
        }
        let cluster = (nodes.len() > 1).then(|| {
            ClusterClientBuilder::new(urls.iter().map(|url| url.expose_secret()))
                .connection_timeout(CONNECT)
                .response_timeout(LIMIT)
                .build()
        });
        Ok(Self {
            nodes,
            cluster: cluster.transpose().map_err(|error| error.to_string())?,
            address: shown.join(", "),
        })
    }

    /// A connection of its own, for what is published.
    pub(super) async fn subscription(&self, channel: &str) -> Option<PubSub> {
        for node in &self.nodes {
            let subscription = async {
                let mut connection = node.get_async_pubsub().await?;
                connection.subscribe(channel).await?;
                RedisResult::Ok(connection)
            };
            if let Ok(Ok(connection)) = time::timeout(CONNECT, subscription).await {
                return Some(connection);
            }
        }
        None
    }
}

impl Link {
    /// Connects, and makes sure that the server is ready to serve.
    pub(super) async fn open(source: &Source) -> Result<Self, String> {
        let opened = time::timeout(CONNECT, async {
            let mut link = match &source.cluster {
                Some(cluster) => Self::Cluster(cluster.get_async_connection().await?),
                None => {
                    let node = source
                        .nodes
                        .first()
                        .ok_or((redis::ErrorKind::InvalidClientConfig, "there is no address"))?;
                    let config = ConnectionManagerConfig::new()
                        .set_number_of_retries(0)
                        .set_connection_timeout(Some(CONNECT))
                        .set_response_timeout(Some(LIMIT));
                    let manager = ConnectionManager::new_with_config(node.clone(), config);
                    Self::Node(manager.await?)
                }
            };
            // A call whose script the server does not know takes three times as long. One that forgets
            // them, or refuses now, is told with the call.
            join_all([&CLAIM, &RENEW, &SWAP, &RELEASE, &TELL].map(|script| {
                let mut link = link.clone();
                async move { script.load_async(&mut link).await }
            }))
            .await;
            // One that is too slow for calls is no use.
            let ping = redis::cmd("PING");
            match time::timeout(LIMIT, ping.exec_async(&mut link)).await {
                Ok(answered) => answered.map(|()| Some(link)),
                Err(_) => RedisResult::Ok(None),
            }
        });
        match opened.await {
            Ok(Ok(Some(link))) => Ok(link),
            Ok(Ok(None)) => Err("no answer within 250 ms".to_owned()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("no connection within two seconds".to_owned()),
        }
    }
}

impl ConnectionLike for Link {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::Node(node) => node.req_packed_command(command),
            Self::Cluster(cluster) => cluster.req_packed_command(command),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        commands: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::Node(node) => node.req_packed_commands(commands, offset, count),
            Self::Cluster(cluster) => cluster.req_packed_commands(commands, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::Node(node) => node.get_db(),
            Self::Cluster(cluster) => cluster.get_db(),
        }
    }
}

/// With two backends of rustls in an application, none is the default and a connection would panic;
/// what the application has chosen stands.
fn choose_crypto() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Whoever was quicker has chosen for us.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    }
}

/// Nobody waits for a connection but the calls that come after it.
const CONNECT: Duration = Duration::from_secs(2);
