// cuBLASLt as Rushes calls it: the library's own functions and numbers (cublasLt.h, version 13), handles as void*.
//
// bind_cuda.cpp checks every number against the installed header. Status 0 is success.
#pragma once

#include <cstddef>
#include <cstdint>

namespace rushes::kernels::cuda {

struct BlasAlgorithm {  // cublasLtMatmulAlgo_t
  std::uint64_t data[8];
};
struct BlasHeuristic {  // cublasLtMatmulHeuristicResult_t
  BlasAlgorithm algorithm;
  std::size_t workspace_bytes;
  int state;
  float waves;
  int reserved[4];
};

namespace blas {
// cudaDataType
inline constexpr int kFloat32 = 0, kInt8 = 3, kInt32 = 10, kBfloat16 = 14, kFloat8E4M3 = 28;
// cublasComputeType_t: sums in fp32, or in fp32 of operands that are not rounded
inline constexpr int kCompute32 = 68, kCompute32Pedantic = 69;
// cublasLtMatmulDescAttributes_t; values are int32 unless said otherwise
inline constexpr int kTransposeA = 3, kTransposeB = 4, kEpilogue = 7, kBiasPointer = 8 /* pointer */,
                     kScalePointerA = 17 /* pointer */, kScalePointerB = 18 /* pointer */,
                     kFastSums = 25 /* int8 */, kBiasType = 26, kScaleModeA = 31, kScaleModeB = 32;
inline constexpr int kNoTranspose = 0, kTranspose = 1;  // cublasOperation_t
// cublasLtEpilogue_t; GELU is the tanh form
inline constexpr int kEpilogueNone = 1, kEpilogueBias = 4, kEpilogueGelu = 32, kEpilogueGeluBias = 36;
// cublasLtMatmulMatrixScale_t: one value for the matrix; one per row of A or column of B
inline constexpr int kScaleOne = 0, kScalePerRow = 3;
// cublasLtMatrixLayoutAttribute_t
inline constexpr int kOrder = 1, kBatchCount = 5, kBatchStride = 6 /* int64, elements */;
inline constexpr int kColumnMajor = 0, kRowMajor = 1;  // cublasLtOrder_t
// cublasLtMatmulPreferenceAttributes_t
inline constexpr int kMaxWorkspace = 1;  // size_t
// uint32: the pointers of A, B, C and D are multiples of so many bytes
inline constexpr int kAlignmentA = 5, kAlignmentB = 6, kAlignmentC = 7, kAlignmentD = 8;
}  // namespace blas

// Matrices are column-major unless a layout's order says otherwise; `rows`, `columns` and `stride` in elements.
struct BlasApi {
  std::size_t (*version)() = nullptr;  // 130100 = 13.1.0
  int (*create)(void** handle) = nullptr;
  int (*destroy)(void* handle) = nullptr;
  int (*product_create)(void** product, int compute_type,
                        int scale_type) = nullptr;  // cublasLtMatmulDescCreate
  int (*product_destroy)(void* product) = nullptr;
  int (*product_set)(void* product, int attribute, const void* value, std::size_t bytes) = nullptr;
  int (*layout_create)(void** layout, int type, std::uint64_t rows, std::uint64_t columns,
                       std::int64_t stride) = nullptr;
  int (*layout_destroy)(void* layout) = nullptr;
  int (*layout_set)(void* layout, int attribute, const void* value, std::size_t bytes) = nullptr;
  int (*preference_create)(void** preference) = nullptr;
  int (*preference_destroy)(void* preference) = nullptr;
  int (*preference_set)(void* preference, int attribute, const void* value, std::size_t bytes) = nullptr;
  int (*heuristic)(void* handle, void* product, void* a, void* b, void* c, void* d, void* preference,
                   int wanted, BlasHeuristic* found, int* count) = nullptr;
  // D = epilogue(alpha op(A) op(B) + beta C), queued on `stream`.
  int (*matmul)(void* handle, void* product, const void* alpha, const void* a, void* a_layout, const void* b,
                void* b_layout, const void* beta, const void* c, void* c_layout, void* d, void* d_layout,
                const BlasAlgorithm* algorithm, void* workspace, std::size_t workspace_bytes,
                void* stream) = nullptr;
};

}  // namespace rushes::kernels::cuda
