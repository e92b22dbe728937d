//! The ways in which Redis is run: with a password, over TLS, as a cluster.

use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use authkit_actix::emulator::RefreshReuse;
use authkit_tests::{RedisServer, folder, free_port};
use futures::future::join_all;

use crate::instance::{ADA, Machines, pause, refused_within};

const ME: &str = "/api/me";

/// Refreshes are shared, sessions are in Redis, and end everywhere.
async fn all_is_shared(machines: &Machines) {
    let [first, second] = &machines.instances[..] else {
        panic!("two machines");
    };
    let (here, there) = (first.browser(), second.browser());
    for round in 1..=5 {
        let cookie = machines.expired();
        let asked = [&here, &there].map(|browser| browser.api_with(ME, &cookie));
        for answer in join_all(asked).await {
            assert_eq!(answer.status, 200, "{}", answer.body);
        }
        assert_eq!(machines.refreshes(), round);
    }
    let (mut browser, copy) = first.signed_in().await;
    assert!(copy.len() < 200, "{copy}");
    assert_eq!(there.api_with(ME, &copy).await.status, 200);
    browser.submit("/sign-out", &[]).await;
    refused_within(Duration::from_secs(1), &there, &copy).await;
}

#[tokio::test]
async fn a_redis_with_a_password_and_a_database_of_its_own() {
    let redis = RedisServer::with(&["--requirepass", "hush"]);
    let url = format!("redis://:hush@127.0.0.1:{}/3", redis.port());
    let machines = Machines::around(
        redis,
        RefreshReuse::Strict,
        &[
            ("SHOWCASE_REDIS_URL", &url),
            ("SHOWCASE_SESSIONS_IN_REDIS", "true"),
        ],
    );
    all_is_shared(&machines).await;
}

#[tokio::test]
async fn a_redis_over_tls_whose_certificate_is_verified() {
    let folder = folder("tls");
    certificate(&folder);
    let path = |name: &str| folder.join(name).display().to_string();
    let port = free_port().to_string();
    let redis = RedisServer::with(&[
        "--tls-port",
        &port,
        "--tls-cert-file",
        &path("server.crt"),
        "--tls-key-file",
        &path("server.key"),
        "--tls-auth-clients",
        "no",
    ]);
    let url = format!("rediss://localhost:{port}");
    let trusting = path("ca.crt");
    let variables = [
        ("SHOWCASE_REDIS_URL", url.as_str()),
        ("SHOWCASE_SESSIONS_IN_REDIS", "true"),
    ];
    let trusts = [&variables[..], &[("SSL_CERT_FILE", trusting.as_str())]].concat();
    let mut machines = Machines::around(redis, RefreshReuse::Strict, &trusts);
    all_is_shared(&machines).await;

    // Whoever does not know the authority does not speak to the server.
    machines.add(&variables);
    let mut stranger = machines.instances[2].browser();
    let start = stranger.get("/sign-in").await;
    let callback = stranger.authenticate(&start, ADA).await;
    assert_eq!(stranger.get(&callback).await.status, 503);
}

#[tokio::test]
async fn a_cluster_of_three_nodes() {
    let folder = folder("cluster");
    let nodes: Vec<_> = (0..3)
        .map(|number| {
            let file = folder.join(format!("{number}.conf"));
            RedisServer::with(&[
                "--cluster-enabled",
                "yes",
                "--cluster-config-file",
                &file.display().to_string(),
                "--cluster-port",
                &free_port().to_string(),
            ])
        })
        .collect();
    let places: Vec<_> = nodes
        .iter()
        .map(|node| format!("127.0.0.1:{}", node.port()))
        .collect();
    let created = Command::new("redis-cli")
        .args(["--cluster", "create"])
        .args(&places)
        .arg("--cluster-yes")
        .output()
        .expect("redis-cli is installed");
    let said = String::from_utf8_lossy(&created.stdout);
    assert!(created.status.success(), "{said}");
    let deadline = Instant::now() + Duration::from_secs(30);
    while !nodes
        .iter()
        .all(|node| node.ask(&["CLUSTER", "INFO"]).contains("cluster_state:ok"))
    {
        assert!(Instant::now() < deadline, "{said}");
        pause(100).await;
    }
    let urls: Vec<_> = nodes.iter().map(RedisServer::url).collect();
    let urls = urls[..2].join(",");
    let machines = Machines::with(
        RefreshReuse::Strict,
        &[
            ("SHOWCASE_REDIS_URL", &urls),
            ("SHOWCASE_SESSIONS_IN_REDIS", "true"),
        ],
    );
    all_is_shared(&machines).await;
    let in_use = nodes.iter().filter(|node| !node.keys("*").is_empty());
    assert!(in_use.count() > 1, "the keys are spread");
}

/// An authority, and a certificate of it for `localhost`.
fn certificate(folder: &Path) {
    let run = |arguments: &[&str]| {
        let output = Command::new("openssl")
            .current_dir(folder)
            .args(arguments)
            .output()
            .expect("openssl is installed");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
    };
    let key = ["-newkey", "rsa:2048", "-nodes", "-days", "2"];
    let authority = ["req", "-x509", "-keyout", "ca.key", "-out", "ca.crt"];
    run(&[&authority[..], &key, &["-subj", "/CN=An authority"]].concat());
    run(&[
        &[
            "req",
            "-x509",
            "-CA",
            "ca.crt",
            "-CAkey",
            "ca.key",
            "-keyout",
            "server.key",
            "-out",
            "server.crt",
        ],
        &key[..],
        &[
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=DNS:localhost",
            "-addext",
            "basicConstraints=critical,CA:FALSE",
        ],
    ]
    .concat());
}
