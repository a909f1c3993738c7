//! A text as a QR code, to be scanned from a screen.

use qrcode::{Color, EcLevel, QrCode};

/// Pixels along one side of a module.
const SCALE: usize = 6;
/// Modules of white that the standard asks for on every side.
const QUIET: usize = 4;

/// The text as a PNG, black on white; nothing if it is too long for a QR code.
#[must_use]
pub fn png_of(text: &str) -> Option<Vec<u8>> {
    let code = QrCode::with_error_correction_level(text, EcLevel::M).ok()?;
    let (width, modules) = (code.width(), code.into_colors());
    let side = (width + 2 * QUIET) * SCALE;
    let dark = |x: usize, y: usize| {
        let (x, y) = ((x / SCALE).checked_sub(QUIET)?, (y / SCALE).checked_sub(QUIET)?);
        let module = modules.get(y * width + x).filter(|_| x < width)?;
        (*module == Color::Dark).then_some(0)
    };
    let pixels: Vec<u8> = (0..side * side).map(|n| dark(n % side, n / side).unwrap_or(u8::MAX)).collect();
    encode(u32::try_from(side).ok()?, &pixels).ok()
}

/// A square of grey values as a PNG.
fn encode(side: u32, pixels: &[u8]) -> Result<Vec<u8>, png::EncodingError> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, side, side);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(pixels)?;
    writer.finish()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[test]
    fn a_text_becomes_a_square_png_with_a_quiet_zone() {
        let text = "otpauth://totp/Aliyun:bob%401234567890123456.onaliyun.com?secret=ABCDEFGH&issuer=Aliyun";
        let file = png_of(text).expect("a picture");
        assert_eq!(file.get(..8), Some(&b"\x89PNG\r\n\x1a\n"[..]));
        let word =
            |at: usize| u32::from_be_bytes(file.get(at..at + 4).expect("a header").try_into().expect("four bytes"));
        let side = word(16);
        assert_eq!((word(20), file.get(24..26)), (side, Some(&[8, 0][..])), "a square, eight bits of grey");
        let side = usize::try_from(side).expect("small");
        // A code of version n has 17 + 4 n modules along a side.
        assert!(
            side.is_multiple_of(SCALE) && (side / SCALE - 2 * QUIET) % 4 == 1 && side / SCALE >= 21 + 2 * QUIET,
            "{side}"
        );

        let mut pixels = vec![0; side * side];
        let mut reader = png::Decoder::new(Cursor::new(&file)).read_info().expect("a header");
        reader.next_frame(&mut pixels).expect("pixels");
        let edge = QUIET * SCALE;
        let inside = edge..side - edge;
        for (n, pixel) in pixels.iter().enumerate() {
            let (x, y) = (n % side, n / side);
            assert!(*pixel == 0 || *pixel == 255);
            assert!(*pixel == 255 || (inside.contains(&x) && inside.contains(&y)), "the quiet zone at {x}, {y}");
        }
        // The finder pattern in the corner: seven dark modules, then light ones within.
        let at = |x: usize, y: usize| pixels.get((edge + y * SCALE) * side + edge + x * SCALE).copied();
        assert!((0..7).all(|x| at(x, 0) == Some(0) && at(0, x) == Some(0)));
        assert_eq!((at(7, 0), at(1, 1), at(3, 3)), (Some(255), Some(255), Some(0)));
    }

    #[test]
    fn what_does_not_fit_is_no_picture() {
        assert!(png_of(&"x".repeat(5000)).is_none());
    }
}
