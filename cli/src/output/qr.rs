//! A text as a QR code of half blocks.

use qrcode::render::unicode::Dense1x2;
use qrcode::{EcLevel, QrCode};

/// The picture of a text, two rows of modules in a line; nothing if it is too long for one. Case
/// does not matter in what is drawn: capitals take half the room.
pub(super) fn qr(text: &str) -> String {
    let upper = text.to_uppercase();
    let code = QrCode::with_error_correction_level(upper, EcLevel::L);
    // What is drawn is dark: it stands on white.
    code.map(|code| code.render::<Dense1x2>().build())
        .unwrap_or_default()
}
