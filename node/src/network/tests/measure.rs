//! How long a frame takes between two nodes on one machine. Printed, not asserted.

use std::time::Instant;

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement: run with --ignored --nocapture"]
async fn measure_a_frame_of_300_bytes() {
    let topics = topics(1);
    let (a, mut b) = pair(&topics).await;
    let mut micros = Vec::new();
    for n in 0..5_000_u32 {
        let frame = [&n.to_be_bytes()[..], &[0; 296]].concat();
        let sent = Instant::now();
        a.publish(&topics[0], &frame).await;
        let (ticket, _, data) = b.expect_frame().await;
        micros.push(sent.elapsed().as_micros());
        assert_eq!(data, frame);
        b.send(Command::Judge {
            ticket,
            verdict: Verdict::Accept,
        })
        .await;
    }
    micros.sort_unstable();
    let at = |share: f64| micros[(share * (micros.len() - 1) as f64) as usize];
    println!(
        "300 B frame: median {} µs, p99 {} µs, max {} µs",
        at(0.5),
        at(0.99),
        at(1.0)
    );
}
