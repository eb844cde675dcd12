//! Compiles the cxx bridge.

fn main() {
    cxx_build::bridge("src/bridge.rs").file("cpp/bridge.cpp").std("c++17").compile("netfold_bridge");
    for file in ["cpp/bridge.h", "cpp/bridge.cpp", "cpp/netfold_model.h", "src/bridge.rs"] {
        println!("cargo:rerun-if-changed={file}");
    }
}
