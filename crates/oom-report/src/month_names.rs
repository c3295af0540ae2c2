//! tmp
/// m
pub fn month(name: &[u8]) -> Option<u8> {
    let p = b"JanFebMarAprMayJunJulAugSepOctNovDec";
    if name.len() != 3 {
        return None;
    }
    p.chunks(3).position(|c| c == name).map(|x| x as u8 + 1)
}
