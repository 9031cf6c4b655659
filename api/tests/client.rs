//! The client against a daemon made of canned answers.

#![expect(clippy::unwrap_used, reason = "a test says by failing what went wrong")]

use std::path::Path;
use std::time::Duration;

use kith_api::event::{EventsQuery, Happened};
use kith_api::invite::JoinRequest;
use kith_api::socket::{SocketAddress, socket_path};
use kith_api::{Client, ErrorCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

fn listen(home: &Path) -> UnixListener {
    let socket = socket_path(home);
    let address = SocketAddress::of(&socket).unwrap();
    UnixListener::bind(address.as_path()).unwrap()
}

/// Reads one request without a body and returns its head.
async fn head(stream: &mut UnixStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

async fn answer(stream: &mut UnixStream, status: &str, body: &str) {
    let length = body.len();
    let text = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n{body}");
    stream.write_all(text.as_bytes()).await.unwrap();
}

#[tokio::test]
async fn without_a_daemon_the_error_names_the_remedy() {
    let home = tempfile::tempdir().unwrap();

    let absent = Client::new(home.path()).status().await.unwrap_err();
    drop(listen(home.path()));
    let refused = Client::new(home.path()).status().await.unwrap_err();

    for error in [absent, refused] {
        assert_eq!(error.code, ErrorCode::NoDaemon);
        assert!(error.message.contains("`kith daemon`"), "{error}");
    }
}

#[tokio::test]
async fn a_connection_is_used_again_and_replaced_when_the_daemon_closed_it() {
    let home = tempfile::tempdir().unwrap();
    let listener = listen(home.path());
    let daemon = tokio::spawn(async move {
        let (mut first, _) = listener.accept().await.unwrap();
        for _ in 0..2 {
            head(&mut first).await;
            answer(&mut first, "200 OK", "[]").await;
        }
        drop(first);
        let (mut second, _) = listener.accept().await.unwrap();
        head(&mut second).await;
        answer(&mut second, "200 OK", "[]").await;
    });
    let client = Client::new(home.path());

    for _ in 0..3 {
        assert!(client.channels().await.unwrap().is_empty());
    }
    daemon.await.unwrap();
}

#[tokio::test]
async fn the_daemon_s_errors_arrive_as_they_are() {
    let home = tempfile::tempdir().unwrap();
    let listener = listen(home.path());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let asked = head(&mut stream).await;
        assert!(asked.starts_with("GET /v1/channels/%23team HTTP/1.1\r\n"));
        let body = r#"{"error":{"code":"not_found","message":"no such channel"}}"#;
        answer(&mut stream, "404 Not Found", body).await;
    });

    let error = Client::new(home.path()).channel("#team").await.unwrap_err();

    assert_eq!(error.code, ErrorCode::NotFound);
    assert_eq!(error.message, "no such channel");
}

#[tokio::test]
async fn an_answer_is_not_waited_for_for_ever() {
    let home = tempfile::tempdir().unwrap();
    let _listener = listen(home.path());
    let request = JoinRequest {
        link: "kith:x".into(),
        wait_ms: Some(20),
    };

    let client = Client::new(home.path()).with_timeout(Duration::from_millis(10));

    let error = client.join(&request).await.unwrap_err();

    assert_eq!(error.code, ErrorCode::Unreachable);
    assert!(error.message.contains("30ms"), "{error}");
}

#[tokio::test]
async fn a_stream_goes_on_after_the_last_cursor_when_the_daemon_comes_back() {
    let home = tempfile::tempdir().unwrap();
    let listener = listen(home.path());
    let daemon = tokio::spawn(async move {
        let expired = |cursor: u64| {
            let (channel, id) = ("a".repeat(52), "a".repeat(16));
            format!(
                "id: {cursor}\ndata: {{\"cursor\":{cursor},\"event\":\"message_expired\",\
                 \"channel\":\"{channel}\",\"id\":\"{id}\"}}\n\n"
            )
        };
        let mut heads = Vec::new();
        for frames in ["id: 40\n\n".to_owned(), expired(41), expired(42)] {
            let (mut stream, _) = listener.accept().await.unwrap();
            heads.push(head(&mut stream).await);
            let text = format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{frames}");
            stream.write_all(text.as_bytes()).await.unwrap();
        }
        heads
    });
    let client = Client::new(home.path());

    let mut events = client.events(EventsQuery::default()).await.unwrap();
    let first = events.next().await.unwrap();
    let second = events.next().await.unwrap();

    let heads = daemon.await.unwrap();
    assert!(matches!(first.what, Happened::MessageExpired { .. }));
    assert_eq!((first.cursor, second.cursor), (Some(41), Some(42)));
    assert!(!heads[0].contains("last-event-id"));
    assert!(heads[1].contains("last-event-id: 40\r\n"));
    assert!(heads[2].contains("last-event-id: 41\r\n"));
}

#[tokio::test]
async fn a_home_may_lie_deeper_than_a_socket_address_is_long() {
    let temp = tempfile::tempdir().unwrap();
    let home = temp.path().join("h".repeat(120));
    std::fs::create_dir(&home).unwrap();
    let listener = listen(&home);
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        head(&mut stream).await;
        answer(&mut stream, "200 OK", "[]").await;
    });

    assert!(Client::new(&home).channels().await.unwrap().is_empty());
}
