// cuDNN's backend (graph) interface as Rushes calls it: the library's own functions and numbers (cudnn_graph.h,
// version 9), handles and descriptors as void*.
//
// bind_cuda.cpp checks every number against the installed header. Status 0 is success.
#pragma once

#include <cstddef>
#include <cstdint>

namespace rushes::kernels::cuda {

namespace dnn {
// cudnnBackendDescriptorType_t
inline constexpr int kConvolution = 1, kEngine = 2, kEngineConfig = 3, kEngineHeuristic = 4,
                     kExecutionPlan = 5, kConvolutionForward = 10, kOperationGraph = 15, kVariantPack = 16,
                     kTensor = 17, kSdpa = 41;
// cudnnBackendAttributeType_t
inline constexpr int kTypeHandle = 0, kTypeDataType = 1, kTypeBoolean = 2, kTypeInt64 = 3, kTypeFloat = 4,
                     kTypeDouble = 5, kTypePointer = 6, kTypeConvolutionMode = 7, kTypeHeuristicMode = 8,
                     kTypeNumericalNote = 11, kTypeDescriptor = 15;
// cudnnDataType_t
inline constexpr int kFloat32 = 0, kBfloat16 = 9;
// cudnnBackendAttributeName_t: of a convolution
inline constexpr int kComputeType = 100, kConvolutionMode = 101, kDilations = 102, kStrides = 103,
                     kPaddingBehind = 104, kPaddingBefore = 105, kSpatialDims = 106;
inline constexpr int kCrossCorrelation = 1;
// of the heuristic that proposes engines
inline constexpr int kHeuristicMode = 200, kHeuristicGraph = 201, kHeuristicResults = 202;
inline constexpr int kModeFallback = 2, kModeA = 3;
// of an engine's configuration, and of the engine: what it does to numbers
inline constexpr int kConfigEngine = 300, kEngineNumericalNote = 1303;
inline constexpr int kNoteTensorCore = 0, kNoteDownConvertInputs = 1, kNoteReducedPrecision = 2,
                     kNoteNondeterministic = 4,
                     kNotes = 16;  // cudnnBackendNumericalNote_t; kNotes: more than any
// of an execution plan
inline constexpr int kPlanHandle = 400, kPlanConfig = 401, kPlanWorkspace = 402;
// of the operation y = alpha conv(x, w) + beta y
inline constexpr int kForwardAlpha = 700, kForwardBeta = 701, kForwardConvolution = 702, kForwardW = 703,
                     kForwardX = 704, kForwardY = 705;
inline constexpr int kGraphHandle = 800, kGraphOperations = 801;
// of a tensor
inline constexpr int kAlignment = 900, kDataType = 901, kDimensions = 902, kTensorStrides = 903,
                     kUniqueId = 906, kIsVirtual = 907, kIsByValue = 908;
// of a variant pack
inline constexpr int kPackIds = 1000, kPackPointers = 1001, kPackWorkspace = 1003;
// of scaled dot product attention
inline constexpr int kSdpaQ = 2800, kSdpaK = 2801, kSdpaV = 2802, kSdpaO = 2803, kSdpaScale = 2805;
}  // namespace dnn

struct DnnApi {
  std::size_t (*version)() = nullptr;  // 91900 = 9.19.0
  int (*create)(void** handle) = nullptr;
  int (*destroy)(void* handle) = nullptr;
  int (*set_stream)(void* handle, void* stream) = nullptr;
  const char* (*error_text)(int status) = nullptr;
  int (*descriptor_create)(int type, void** descriptor) = nullptr;
  int (*descriptor_destroy)(void* descriptor) = nullptr;
  int (*descriptor_finalize)(void* descriptor) = nullptr;
  int (*descriptor_set)(void* descriptor, int name, int type, std::int64_t count,
                        const void* values) = nullptr;
  int (*descriptor_get)(void* descriptor, int name, int type, std::int64_t wanted, std::int64_t* count,
                        void* values) = nullptr;
  int (*execute)(void* handle, void* plan, void* variant_pack) = nullptr;
};

}  // namespace rushes::kernels::cuda
