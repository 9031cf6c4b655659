//! Sync requests between nodes that mean well.

use kith_crdt::limits::SYNC_MESSAGE_MAX;

use super::limits::REQUESTS_OUT_PER_PEER;
use super::*;

#[tokio::test]
async fn a_request_is_answered_and_both_may_be_as_large_as_allowed() {
    let (mut a, mut b) = pair(&[]).await;
    let (question, answer) = (vec![1; SYNC_MESSAGE_MAX], vec![2; SYNC_MESSAGE_MAX]);
    a.request(7, b.key, question.clone()).await;
    let (id, bytes) = b.expect_request().await;
    assert_eq!(bytes, question);
    b.send(Command::Answer {
        id,
        bytes: answer.clone(),
    })
    .await;
    assert_eq!(a.expect_outcome(7).await, Ok(answer));
}

#[tokio::test]
async fn requests_are_answered_in_any_order() {
    let (mut a, mut b) = pair(&[]).await;
    let mut asked = Vec::new();
    for id in 0..4 {
        a.request(id, b.key, vec![id as u8]).await;
        asked.push(b.expect_request().await);
    }
    for (id, bytes) in asked.into_iter().rev() {
        b.send(Command::Answer { id, bytes }).await;
    }
    for id in 0..4 {
        // Answers arrive in any order, so each is looked for among the events of its own request.
        a.request(10 + id, b.key, vec![]).await;
        let (number, _) = b.expect_request().await;
        b.send(Command::Answer {
            id: number,
            bytes: vec![],
        })
        .await;
    }
    let mut answers = std::collections::BTreeMap::new();
    while answers.len() < 8 {
        if let NetworkEvent::Answered { id, bytes, .. } = a.next().await {
            answers.insert(id, bytes);
        }
    }
    assert!((0..4).all(|id| answers[&id] == [id as u8]));
}

#[tokio::test]
async fn a_peer_is_asked_only_so_much_at_once() {
    let (mut a, mut b) = pair(&[]).await;
    let mut waiting = Vec::new();
    for id in 0..REQUESTS_OUT_PER_PEER as u64 {
        a.request(id, b.key, vec![]).await;
        waiting.push(b.expect_request().await.0);
    }
    a.request(100, b.key, vec![]).await;
    assert_eq!(a.expect_outcome(100).await, Err(RequestFailure::Busy));
    b.send(Command::Answer {
        id: waiting[0],
        bytes: vec![],
    })
    .await;
    assert_eq!(a.expect_outcome(0).await, Ok(vec![]));
    assert_works(&mut a, &mut b, 101).await;
    assert_eq!(b.network.counts(), Counts::default());
}

#[tokio::test]
async fn a_peer_that_is_asked_as_much_as_may_be_answers_all_of_it() {
    let (mut a, mut b) = pair(&[]).await;
    let (mut next, mut answered) = (0, 0);
    while answered < 500 {
        while next < answered + REQUESTS_OUT_PER_PEER as u64 {
            a.request(next, b.key, vec![]).await;
            next += 1;
        }
        let (id, _) = b.expect_request().await;
        b.send(Command::Answer { id, bytes: vec![] }).await;
        a.expect(|event| matches!(event, NetworkEvent::Answered { .. }).then_some(()))
            .await;
        answered += 1;
    }
    assert_eq!(b.network.counts(), Counts::default());
}

#[tokio::test]
async fn an_answer_to_nothing_is_counted() {
    let (mut a, mut b) = pair(&[]).await;
    b.send(Command::Answer {
        id: 99,
        bytes: vec![],
    })
    .await;
    assert_works(&mut a, &mut b, 1).await;
    assert_eq!(b.network.counts().answers_late, 1);
}

#[tokio::test]
async fn requests_fail_with_the_connection() {
    let (mut a, mut b) = pair(&[]).await;
    a.request(1, b.key, vec![]).await;
    b.expect_request().await;
    b.send(Command::Disconnect(a.key)).await;
    assert_eq!(a.expect_outcome(1).await, Err(RequestFailure::Disconnected));
}

#[tokio::test]
async fn every_request_has_an_outcome_however_many_there_are() {
    let (mut a, b) = pair(&[]).await;
    let asked = 4 * REQUESTS_OUT_PER_PEER;
    for id in 0..asked as u64 {
        a.request(id, b.key, vec![]).await;
    }
    drop(b);
    let mut outcomes = std::collections::BTreeSet::new();
    while outcomes.len() < asked {
        if let NetworkEvent::RequestFailed { id, .. } = a.next().await {
            assert!(outcomes.insert(id));
        }
    }
}

#[tokio::test]
#[ignore = "takes the twenty seconds that a request may take"]
async fn a_request_that_nobody_answers_times_out_and_makes_room() {
    let (mut a, mut b) = pair(&[]).await;
    let mut late = Vec::new();
    for id in 0..REQUESTS_OUT_PER_PEER as u64 {
        a.request(id, b.key, vec![]).await;
        late.push(b.expect_request().await.0);
    }
    for id in 0..REQUESTS_OUT_PER_PEER as u64 {
        assert_eq!(a.expect_outcome(id).await, Err(RequestFailure::Timeout));
    }
    assert_works(&mut a, &mut b, 100).await;
    b.send(Command::Answer {
        id: late[0],
        bytes: vec![],
    })
    .await;
    assert_works(&mut a, &mut b, 101).await;
    assert_eq!(b.network.counts().answers_late, 1);
}
