//! Gossip between nodes that mean well.

use std::collections::BTreeMap;

use super::*;

/// Publishes one frame per topic and waits until each has arrived.
async fn assert_delivers(a: &Node, b: &mut Node, topics: &[String]) {
    let mut missing = BTreeMap::new();
    for topic in topics {
        let data = [topic.as_bytes(), a.key.as_bytes(), &[0; 242]].concat();
        a.publish(topic, &data).await;
        missing.insert(topic.clone(), data);
    }
    while !missing.is_empty() {
        let (ticket, topic, data) = b.expect_frame().await;
        assert_eq!(missing.remove(&topic), Some(data));
        b.send(Command::Judge {
            ticket,
            verdict: Verdict::Accept,
        })
        .await;
    }
}

#[tokio::test]
async fn frames_arrive_on_150_topics_announced_at_once() {
    let topics = topics(150);
    let (mut a, mut b) = pair(&topics).await;
    assert_delivers(&a, &mut b, &topics).await;
    assert_delivers(&b, &mut a, &topics).await;
}

#[tokio::test]
async fn frames_arrive_on_150_topics_announced_one_by_one() {
    let topics = topics(150);
    let (mut a, mut b) = pair(&[]).await;
    a.subscribe(&topics).await;
    b.subscribe(&topics).await;
    a.expect_listener(b.key, &topics).await;
    b.expect_listener(a.key, &topics).await;
    assert_delivers(&a, &mut b, &topics).await;
}

#[tokio::test]
async fn a_node_with_two_epochs_in_each_of_2_000_channels_is_heard() {
    let topics = topics(2 * kith_crdt::limits::CHANNELS_PER_NODE);
    let (a, mut b) = pair(&topics).await;
    let some: Vec<_> = topics.iter().step_by(100).cloned().collect();
    assert_delivers(&a, &mut b, &some).await;
}

#[tokio::test]
async fn the_largest_frame_arrives_and_a_larger_one_is_not_sent() {
    let topics = topics(1);
    let (a, mut b) = pair(&topics).await;
    let largest = vec![1; kith_crdt::limits::FRAME_SEALED_MAX];
    for frame in [vec![2; largest.len() + 1], largest.clone()] {
        a.publish(&topics[0], &frame).await;
    }
    assert_eq!(b.expect_frame().await.2, largest);
    assert_eq!(a.network.counts().frames_unsent, 1);
}

#[tokio::test]
async fn many_large_frames_in_a_row_arrive() {
    let topics = topics(1);
    let (a, mut b) = pair(&topics).await;
    for n in 0..32 {
        a.publish(&topics[0], &vec![n; kith_crdt::limits::FRAME_SEALED_MAX])
            .await;
        a.publish(&topics[0], &[n; 300]).await;
    }
    let mut seen = 0;
    while seen < 64 {
        let (ticket, ..) = b.expect_frame().await;
        b.send(Command::Judge {
            ticket,
            verdict: Verdict::Accept,
        })
        .await;
        seen += 1;
    }
    assert_eq!(b.network.counts(), Counts::default());
}

#[tokio::test]
async fn a_frame_published_before_anyone_listens_is_lost_without_error() {
    let topics = topics(1);
    let (mut a, mut b) = pair(&[]).await;
    a.publish(&topics[0], b"too early").await;
    a.subscribe(&topics).await;
    b.subscribe(&topics).await;
    a.expect_listener(b.key, &topics).await;
    a.publish(&topics[0], b"in time").await;
    assert_eq!(b.expect_frame().await.2, b"in time");
    assert_eq!(a.network.counts(), Counts::default());
}

#[tokio::test]
async fn a_topic_that_was_left_is_silent() {
    let topics = topics(2);
    let (a, mut b) = pair(&topics).await;
    b.send(Command::Unsubscribe(topics[0].clone())).await;
    a.publish(&topics[0], b"unheard").await;
    a.publish(&topics[1], b"heard").await;
    assert_eq!(b.expect_frame().await.2, b"heard");
}

#[tokio::test]
async fn a_frame_is_passed_on_once_it_was_accepted() {
    let topics = topics(1);
    let (a, mut b) = pair(&topics).await;
    let mut c = Node::start(3).await;
    c.subscribe(&topics).await;
    connect(&mut c, &mut b).await;
    b.expect_listener(c.key, &topics).await;
    for (frame, verdict) in [(b"ignored", Verdict::Ignore), (b"allowed", Verdict::Accept)] {
        a.publish(&topics[0], frame).await;
        let (ticket, ..) = b.expect_frame().await;
        b.send(Command::Judge { ticket, verdict }).await;
    }
    assert_eq!(c.expect_frame().await.2, b"allowed");
}

#[tokio::test]
async fn the_same_frame_in_another_topic_is_another_frame() {
    let topics = topics(2);
    let (a, mut b) = pair(&topics).await;
    a.publish(&topics[0], b"frame").await;
    a.publish(&topics[1], b"frame").await;
    assert_eq!(b.expect_frame().await.1, topics[0]);
    assert_eq!(b.expect_frame().await.1, topics[1]);
}
