use std::net::IpAddr;

/// The request that something happened for, as data of its own: it outlives the request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RequestInfo {
    /// The method, such as `GET`.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// The `Host` header: whatever the sender wrote.
    pub host: Option<String>,
    /// The address that the connection came from; behind a proxy, the proxy's.
    pub peer: Option<IpAddr>,
    /// The `User-Agent`, at most 512 characters of it.
    pub user_agent: Option<String>,
}
