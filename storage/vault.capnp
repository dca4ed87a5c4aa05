# What the vault keeps about an artifact. Rules as in storage/records/records.capnp: fields are only added.
@0xb7a1d0c94f5e2b63;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("rushes::records");

# An artifact in the vault. Its chunks lie under (upload, 0), (upload, 1), ...
struct ArtifactInfo {
  bytes @0 :UInt64;
  upload @1 :UInt64;
  wallMicroseconds @2 :Int64;
}
