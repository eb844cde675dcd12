use super::*;

fn file(header: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend([1, 0]);
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes
}

fn plain(descr: &str, shape: &str, data: &[u8]) -> Result<Array, Diag> {
    Array::parse(&file(&format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n"), data))
}

#[test]
fn every_type_and_byte_order() {
    let ints = |v: &[i64]| Values::Int(v.to_vec());
    let floats = |v: &[f64]| Values::Float(v.to_vec());
    let cases: Vec<(&str, Vec<u8>, Values)> = vec![
        ("|b1", vec![1, 0], ints(&[1, 0])),
        ("|i1", vec![0xff, 127], ints(&[-1, 127])),
        ("|u1", vec![0xff, 0], ints(&[255, 0])),
        ("<i2", vec![0xfe, 0xff, 0, 1], ints(&[-2, 256])),
        (">i2", vec![0xff, 0xfe, 1, 0], ints(&[-2, 256])),
        (">u4", vec![0xff, 0xff, 0xff, 0xff, 0, 0, 0, 3], ints(&[0xffff_ffff, 3])),
        ("<i8", [(-5i64).to_le_bytes(), i64::MIN.to_le_bytes()].concat(), ints(&[-5, i64::MIN])),
        ("<u8", [5u64.to_le_bytes(), 0u64.to_le_bytes()].concat(), ints(&[5, 0])),
        ("<f2", vec![0x00, 0x3c, 0x01, 0x80], floats(&[1.0, -(2f64.powi(-24))])),
        ("<f4", [0.1f32.to_le_bytes(), (-2.5f32).to_le_bytes()].concat(), floats(&[f64::from(0.1f32), -2.5])),
        (">f8", [0.1f64.to_be_bytes(), 7f64.to_be_bytes()].concat(), floats(&[0.1, 7.0])),
    ];
    for (descr, data, values) in cases {
        assert_eq!(plain(descr, "(2,)", &data).unwrap(), Array { shape: vec![2], values }, "{descr}");
    }
    assert_eq!(plain("<f2", "()", &[0xff, 0x7b]).unwrap().to_f64(), [65504.0]);
}

#[test]
fn fortran_order_becomes_c_order() {
    let header = "{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3), }";
    let array = Array::parse(&file(header, &[0, 3, 1, 4, 2, 5])).unwrap();
    assert_eq!(array.values, Values::Int(vec![0, 1, 2, 3, 4, 5]));
    let header = "{'descr': '|u1', 'fortran_order': True, 'shape': (2, 0, 3), }";
    assert!(Array::parse(&file(header, &[])).unwrap().is_empty());
}

#[test]
fn written_files_read_back() {
    for shape in [vec![], vec![1], vec![6], vec![2, 3], vec![1, 2, 3]] {
        let count = shape.iter().product::<usize>();
        let array = Array { shape, values: Values::Float((0..count).map(|i| i as f64 * 0.5 - 1.0).collect()) };
        for dtype in [Dtype::F32, Dtype::F64] {
            let bytes = array.to_bytes(dtype);
            assert_eq!(Array::parse(&bytes).unwrap(), array);
            assert_eq!((bytes.len() - count * if dtype == Dtype::F32 { 4 } else { 8 }) % 64, 0);
        }
    }
    let array = Array { shape: vec![2], values: Values::Int(vec![i64::MAX, -1]) };
    assert_eq!(Array::parse(&array.to_bytes(Dtype::I64)).unwrap(), array);
}

#[test]
fn hostile_files_are_errors() {
    let bad: Vec<Vec<u8>> = vec![
        vec![],
        b"\x93NUMP".to_vec(),
        b"\x93NUMPY\x01".to_vec(),
        b"\x93NUMPY\x01\x00\xff\xff{".to_vec(),
        b"\x93NUMPY\x02\x00\xff\xff\xff\xff{".to_vec(),
        b"\x93NUMPY\x09\x00\x01\x00{".to_vec(),
        file("", &[]),
        file("{", &[]),
        file("{}", &[]),
        file("{'descr': '<f4', 'fortran_order': False}", &[]),
        file(&"(".repeat(9000), &[]),
        file("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", &[0; 4]),
        file("{'descr': '<é', 'fortran_order': False, 'shape': (1,)}", &[0; 4]),
        file("{'descr': '<O8', 'fortran_order': False, 'shape': (1,)}", &[0; 8]),
        file("{é: 3}", &[]),
    ];
    for bytes in bad {
        assert!(Array::parse(&bytes).is_err(), "{bytes:?}");
    }
    for shape in
        ["(4294967296, 4294967296)", "(18446744073709551615, 2)", "(-1,)", "(2,", "(99999999999999999999,)", "(0x2,)"]
    {
        assert!(plain("<f4", shape, &[0; 8]).is_err(), "{shape}");
    }
    assert!(plain("<f4", "(3,)", &[0; 8]).is_err());
    assert!(plain("<f4", "(1,)", &[0; 8]).is_err());
    assert!(plain("<u8", "(1,)", &[0xff; 8]).is_err());
    assert!(plain("<f4", &format!("({})", "0,".repeat(40)), &[]).is_err());
}

#[test]
fn damaged_headers_never_panic() {
    let good = file("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }\n", &[0; 8]);
    let mut state = 1u64;
    for _ in 0..20_000 {
        let mut bytes = good.clone();
        for _ in 0..3 {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let at = (state >> 33) as usize % bytes.len();
            bytes[at] = (state >> 20) as u8;
        }
        let _ = Array::parse(&bytes);
    }
}
