# Bounds beside the fields: how large a number, a text or a list may be, read by storage/records/reader.h. They do not
# change how a message is encoded. A bound may become wider, never narrower than what an older build has written.
@0xe1f6c0a7d25b4983;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("rushes::bounds");

annotation maxBytes @0xa3d5c1e86f07b2a1 (field) :UInt32;  # of a text or data, or of each one in a list; default 16384
annotation maxCount @0xb92e47fd10c6835e (field) :UInt32;  # entries of a list; default 4096
annotation least @0xc48b0a6de1f3572d (field) :UInt64;     # of a number; default 0
annotation most @0xd76f215bc09ae843 (field) :UInt64;      # of a number; default what its type holds
annotation name @0xe05a9c37b4d81f62 (field) :Void;        # 1 to 64 letters, digits, '.', '_', '-', '+'; no leading sign
annotation keepEnd @0xf1347be8a60c9d25 (field) :Void;     # a longer text loses its beginning when it is sent, not its end
