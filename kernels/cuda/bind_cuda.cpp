// DeviceApi bound to CUDA: the run time linked statically, so that programs start on machines without a driver;
// cuBLASLt, cuDNN and NVML opened at run time.
#include <cuda.h>
#include <cuda_runtime.h>
#if __has_include(<cublasLt.h>)
#include <cublasLt.h>
#define RUSHES_HAS_BLAS_HEADER
#endif
#if __has_include(<cudnn.h>)
#include <cudnn.h>
#define RUSHES_HAS_DNN_HEADER
#endif

#include <map>
#include <mutex>

#include "kernels/cuda/device_api.h"
#include "kernels/cuda/forms.h"
#include "kernels/cuda/library.h"

namespace rushes::kernels::cuda {

namespace {

static_assert(kOutOfMemory == cudaErrorMemoryAllocation && kInvalidValue == cudaErrorInvalidValue &&
              kOldDriver == cudaErrorInsufficientDriver && kNoDevice == cudaErrorNoDevice &&
              kInvalidDevice == cudaErrorInvalidDevice && kIllegalAddress == cudaErrorIllegalAddress &&
              kInCapture == cudaErrorStreamCaptureUnsupported);
static_assert(static_cast<int>(CopyKind::kToDevice) == cudaMemcpyHostToDevice &&
              static_cast<int>(CopyKind::kToHost) == cudaMemcpyDeviceToHost &&
              static_cast<int>(CopyKind::kOnDevice) == cudaMemcpyDeviceToDevice);
static_assert(sizeof(TensorMap) == sizeof(CUtensorMap) && alignof(TensorMap) >= alignof(CUtensorMap));

#ifdef RUSHES_HAS_BLAS_HEADER
static_assert(sizeof(BlasAlgorithm) == sizeof(cublasLtMatmulAlgo_t) &&
              sizeof(BlasHeuristic) == sizeof(cublasLtMatmulHeuristicResult_t));
static_assert(blas::kFloat32 == CUDA_R_32F && blas::kInt8 == CUDA_R_8I && blas::kInt32 == CUDA_R_32I &&
              blas::kBfloat16 == CUDA_R_16BF && blas::kFloat8E4M3 == CUDA_R_8F_E4M3);
static_assert(blas::kCompute32 == CUBLAS_COMPUTE_32F &&
              blas::kCompute32Pedantic == CUBLAS_COMPUTE_32F_PEDANTIC);
static_assert(blas::kTransposeA == CUBLASLT_MATMUL_DESC_TRANSA &&
              blas::kTransposeB == CUBLASLT_MATMUL_DESC_TRANSB &&
              blas::kEpilogue == CUBLASLT_MATMUL_DESC_EPILOGUE &&
              blas::kBiasPointer == CUBLASLT_MATMUL_DESC_BIAS_POINTER &&
              blas::kScalePointerA == CUBLASLT_MATMUL_DESC_A_SCALE_POINTER &&
              blas::kScalePointerB == CUBLASLT_MATMUL_DESC_B_SCALE_POINTER &&
              blas::kFastSums == CUBLASLT_MATMUL_DESC_FAST_ACCUM &&
              blas::kBiasType == CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE &&
              blas::kScaleModeA == CUBLASLT_MATMUL_DESC_A_SCALE_MODE &&
              blas::kScaleModeB == CUBLASLT_MATMUL_DESC_B_SCALE_MODE);
static_assert(blas::kNoTranspose == CUBLAS_OP_N && blas::kTranspose == CUBLAS_OP_T);
static_assert(blas::kEpilogueNone == CUBLASLT_EPILOGUE_DEFAULT &&
              blas::kEpilogueBias == CUBLASLT_EPILOGUE_BIAS &&
              blas::kEpilogueGelu == CUBLASLT_EPILOGUE_GELU &&
              blas::kEpilogueGeluBias == CUBLASLT_EPILOGUE_GELU_BIAS);
static_assert(blas::kScaleOne == CUBLASLT_MATMUL_MATRIX_SCALE_SCALAR_32F &&
              blas::kScalePerRow == CUBLASLT_MATMUL_MATRIX_SCALE_OUTER_VEC_32F);
static_assert(blas::kOrder == CUBLASLT_MATRIX_LAYOUT_ORDER &&
              blas::kBatchCount == CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT &&
              blas::kBatchStride == CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET &&
              blas::kColumnMajor == CUBLASLT_ORDER_COL && blas::kRowMajor == CUBLASLT_ORDER_ROW &&
              blas::kMaxWorkspace == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES &&
              blas::kAlignmentA == CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES &&
              blas::kAlignmentB == CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES &&
              blas::kAlignmentC == CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES &&
              blas::kAlignmentD == CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES);
#endif

#ifdef RUSHES_HAS_DNN_HEADER
static_assert(dnn::kConvolution == CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR &&
              dnn::kEngine == CUDNN_BACKEND_ENGINE_DESCRIPTOR &&
              dnn::kEngineConfig == CUDNN_BACKEND_ENGINECFG_DESCRIPTOR &&
              dnn::kEngineHeuristic == CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR &&
              dnn::kExecutionPlan == CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR &&
              dnn::kConvolutionForward == CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR &&
              dnn::kOperationGraph == CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR &&
              dnn::kVariantPack == CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR &&
              dnn::kTensor == CUDNN_BACKEND_TENSOR_DESCRIPTOR &&
              dnn::kSdpa == CUDNN_BACKEND_OPERATION_SDPA_FWD_DESCRIPTOR);
static_assert(dnn::kTypeHandle == CUDNN_TYPE_HANDLE && dnn::kTypeDataType == CUDNN_TYPE_DATA_TYPE &&
              dnn::kTypeBoolean == CUDNN_TYPE_BOOLEAN && dnn::kTypeInt64 == CUDNN_TYPE_INT64 &&
              dnn::kTypeFloat == CUDNN_TYPE_FLOAT && dnn::kTypeDouble == CUDNN_TYPE_DOUBLE &&
              dnn::kTypePointer == CUDNN_TYPE_VOID_PTR &&
              dnn::kTypeConvolutionMode == CUDNN_TYPE_CONVOLUTION_MODE &&
              dnn::kTypeHeuristicMode == CUDNN_TYPE_HEUR_MODE &&
              dnn::kTypeDescriptor == CUDNN_TYPE_BACKEND_DESCRIPTOR);
static_assert(dnn::kFloat32 == CUDNN_DATA_FLOAT && dnn::kBfloat16 == CUDNN_DATA_BFLOAT16);
static_assert(dnn::kComputeType == CUDNN_ATTR_CONVOLUTION_COMP_TYPE &&
              dnn::kConvolutionMode == CUDNN_ATTR_CONVOLUTION_CONV_MODE &&
              dnn::kDilations == CUDNN_ATTR_CONVOLUTION_DILATIONS &&
              dnn::kStrides == CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES &&
              dnn::kPaddingBehind == CUDNN_ATTR_CONVOLUTION_POST_PADDINGS &&
              dnn::kPaddingBefore == CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS &&
              dnn::kSpatialDims == CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS &&
              dnn::kCrossCorrelation == CUDNN_CROSS_CORRELATION);
static_assert(dnn::kHeuristicMode == CUDNN_ATTR_ENGINEHEUR_MODE &&
              dnn::kHeuristicGraph == CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH &&
              dnn::kHeuristicResults == CUDNN_ATTR_ENGINEHEUR_RESULTS &&
              dnn::kModeFallback == CUDNN_HEUR_MODE_FALLBACK && dnn::kModeA == CUDNN_HEUR_MODE_A &&
              dnn::kTypeNumericalNote == CUDNN_TYPE_NUMERICAL_NOTE &&
              dnn::kConfigEngine == CUDNN_ATTR_ENGINECFG_ENGINE &&
              dnn::kEngineNumericalNote == CUDNN_ATTR_ENGINE_NUMERICAL_NOTE &&
              dnn::kNoteTensorCore == CUDNN_NUMERICAL_NOTE_TENSOR_CORE &&
              dnn::kNoteDownConvertInputs == CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS &&
              dnn::kNoteReducedPrecision == CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION &&
              dnn::kNoteNondeterministic == CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC &&
              dnn::kNotes >= CUDNN_NUMERICAL_NOTE_TYPE_COUNT &&
              dnn::kPlanConfig == CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG &&
              dnn::kPlanWorkspace == CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE);
static_assert(dnn::kForwardAlpha == CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA &&
              dnn::kForwardBeta == CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA &&
              dnn::kForwardConvolution == CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC &&
              dnn::kForwardW == CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W &&
              dnn::kForwardX == CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X &&
              dnn::kForwardY == CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y &&
              dnn::kGraphOperations == CUDNN_ATTR_OPERATIONGRAPH_OPS);
static_assert(dnn::kAlignment == CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT &&
              dnn::kDataType == CUDNN_ATTR_TENSOR_DATA_TYPE &&
              dnn::kDimensions == CUDNN_ATTR_TENSOR_DIMENSIONS &&
              dnn::kTensorStrides == CUDNN_ATTR_TENSOR_STRIDES &&
              dnn::kUniqueId == CUDNN_ATTR_TENSOR_UNIQUE_ID &&
              dnn::kIsVirtual == CUDNN_ATTR_TENSOR_IS_VIRTUAL &&
              dnn::kIsByValue == CUDNN_ATTR_TENSOR_IS_BY_VALUE);
static_assert(dnn::kPackIds == CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS &&
              dnn::kPackPointers == CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS &&
              dnn::kPackWorkspace == CUDNN_ATTR_VARIANT_PACK_WORKSPACE);
static_assert(dnn::kSdpaQ == CUDNN_ATTR_OPERATION_SDPA_FWD_QDESC &&
              dnn::kSdpaK == CUDNN_ATTR_OPERATION_SDPA_FWD_KDESC &&
              dnn::kSdpaV == CUDNN_ATTR_OPERATION_SDPA_FWD_VDESC &&
              dnn::kSdpaO == CUDNN_ATTR_OPERATION_SDPA_FWD_ODESC &&
              dnn::kSdpaScale == CUDNN_ATTR_OPERATION_SDPA_FWD_SCALEDESC);
#endif

cudaStream_t native(Stream stream) { return static_cast<cudaStream_t>(stream); }
cudaEvent_t native_event(Event event) { return static_cast<cudaEvent_t>(event); }

template <typename Api>
const Api* found_or_null(const Library& library, const Api& api, std::string* why) {
  *why = library.why();
  return library.why().empty() ? &api : nullptr;
}

class CudaApi final : public DeviceApi {
 public:
  CudaApi() {
    compiled::add_attention(table_);
    compiled::add_attention_hopper(table_);
    compiled::add_attention_s8(table_);
    compiled::add_attention_s8_f8(table_);
    compiled::add_attention_s8_hopper(table_);
    compiled::add_elementwise(table_);
    compiled::add_exact(table_);
    compiled::add_movement(table_);
    compiled::add_quantise(table_);
    compiled::add_quantise_f8(table_);
    compiled::add_rows(table_);
    compiled::add_rows_f8(table_);
  }

  int device_count(int* count) override { return cudaGetDeviceCount(count); }
  int driver_version(int* version) override { return cudaDriverGetVersion(version); }
  int device_info(int device, DeviceInfo* info) override;
  int set_device(int device) override { return cudaSetDevice(device); }
  int memory_info(std::size_t* free, std::size_t* total) override { return cudaMemGetInfo(free, total); }
  const char* error_name(int error) override { return cudaGetErrorName(static_cast<cudaError_t>(error)); }

  int malloc(void** start, std::size_t bytes) override { return cudaMalloc(start, bytes); }
  int free(void* start) override { return cudaFree(start); }
  int malloc_host(void** start, std::size_t bytes) override { return cudaMallocHost(start, bytes); }
  int free_host(void* start) override { return cudaFreeHost(start); }

  int stream_create(Stream* stream) override {
    return cudaStreamCreateWithFlags(reinterpret_cast<cudaStream_t*>(stream), cudaStreamNonBlocking);
  }
  int stream_destroy(Stream stream) override { return cudaStreamDestroy(native(stream)); }
  int stream_synchronize(Stream stream) override { return cudaStreamSynchronize(native(stream)); }
  int stream_wait_event(Stream stream, Event event) override {
    return cudaStreamWaitEvent(native(stream), native_event(event), 0);
  }
  int event_create(Event* event) override { return cudaEventCreate(reinterpret_cast<cudaEvent_t*>(event)); }
  int event_destroy(Event event) override { return cudaEventDestroy(native_event(event)); }
  int event_record(Event event, Stream stream) override {
    return cudaEventRecord(native_event(event), native(stream));
  }
  int event_synchronize(Event event) override { return cudaEventSynchronize(native_event(event)); }
  int event_milliseconds(float* time, Event begin, Event end) override {
    return cudaEventElapsedTime(time, native_event(begin), native_event(end));
  }

  int memcpy_async(void* to, const void* from, std::size_t bytes, CopyKind kind, Stream stream) override {
    return cudaMemcpyAsync(to, from, bytes, static_cast<cudaMemcpyKind>(kind), native(stream));
  }
  int memset_async(void* to, int value, std::size_t bytes, Stream stream) override {
    return cudaMemsetAsync(to, value, bytes, native(stream));
  }
  int launch(const KernelCode& kernel, const LaunchShape& shape, const void* arguments,
             Stream stream) override;

  int begin_capture(Stream stream) override {
    return cudaStreamBeginCapture(native(stream), cudaStreamCaptureModeThreadLocal);
  }
  int end_capture(Stream stream, Graph* graph) override {
    return cudaStreamEndCapture(native(stream), reinterpret_cast<cudaGraph_t*>(graph));
  }
  int graph_instantiate(GraphRun* run, Graph graph) override {
    return cudaGraphInstantiate(reinterpret_cast<cudaGraphExec_t*>(run), static_cast<cudaGraph_t>(graph), 0);
  }
  int graph_launch(GraphRun run, Stream stream) override {
    return cudaGraphLaunch(static_cast<cudaGraphExec_t>(run), native(stream));
  }
  int graph_run_destroy(GraphRun run) override {
    return cudaGraphExecDestroy(static_cast<cudaGraphExec_t>(run));
  }
  int graph_destroy(Graph graph) override { return cudaGraphDestroy(static_cast<cudaGraph_t>(graph)); }
  int encode_tensor_map(TensorMap* map, const TensorMapShape& shape) override;

  const KernelTable& kernels() override { return table_; }
  const BlasApi* blas(std::string* why) override;
  const DnnApi* dnn(std::string* why) override;
  const NvmlApi* nvml(std::string* why) override;

 private:
  int permit(const void* kernel, std::uint32_t shared_bytes);

  KernelTable table_;
  std::mutex mutex_;
  std::map<std::pair<const void*, int>, std::uint32_t>
      permitted_;  // shared memory by kernel and device; guarded by mutex_
};

int CudaApi::device_info(int device, DeviceInfo* info) {
  cudaDeviceProp properties{};
  if (const cudaError_t error = cudaGetDeviceProperties(&properties, device)) return error;
  char bus_id[32] = {};
  if (const cudaError_t error = cudaDeviceGetPCIBusId(bus_id, sizeof bus_id, device)) return error;
  *info = {properties.name,
           bus_id,
           properties.major,
           properties.minor,
           properties.multiProcessorCount,
           properties.totalGlobalMem,
           properties.sharedMemPerBlockOptin,
           static_cast<std::size_t>(properties.l2CacheSize)};
  return kSuccess;
}

// More than 48 KiB of shared memory need a permission, once a kernel and device.
int CudaApi::permit(const void* kernel, std::uint32_t shared_bytes) {
  if (shared_bytes <= (48u << 10)) return kSuccess;
  int device = 0;
  if (const cudaError_t error = cudaGetDevice(&device)) return error;
  const std::lock_guard lock(mutex_);
  std::uint32_t& permitted = permitted_[{kernel, device}];
  if (shared_bytes <= permitted) return kSuccess;
  const cudaError_t error = cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                                 static_cast<int>(shared_bytes));
  if (error == cudaSuccess) permitted = shared_bytes;
  return error;
}

int CudaApi::launch(const KernelCode& kernel, const LaunchShape& shape, const void* arguments,
                    Stream stream) {
  if (const int error = permit(kernel.function, shape.shared_bytes)) return error;
  cudaLaunchConfig_t config{};
  config.gridDim = dim3(shape.grid[0], shape.grid[1], shape.grid[2]);
  config.blockDim = dim3(shape.threads);
  config.dynamicSmemBytes = shape.shared_bytes;
  config.stream = native(stream);
  cudaLaunchAttribute cluster{};
  if (shape.cluster > 1) {
    cluster.id = cudaLaunchAttributeClusterDimension;
    cluster.val.clusterDim = {shape.cluster, 1, 1};
    config.attrs = &cluster;
    config.numAttrs = 1;
  }
  void* parameters[] = {const_cast<void*>(arguments)};
  return cudaLaunchKernelExC(&config, kernel.function, parameters);
}

int CudaApi::encode_tensor_map(TensorMap* map, const TensorMapShape& shape) {
  // The driver's function, through the run time: no link to libcuda.
  static const auto encode = [] {
    void* function = nullptr;
    cudaDriverEntryPointQueryResult result{};
    const cudaError_t error = cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &function, 12000,
                                                               cudaEnableDefault, &result);
    return reinterpret_cast<decltype(&cuTensorMapEncodeTiled)>(error == cudaSuccess ? function : nullptr);
  }();
  if (!encode) return kOldDriver;
  const cuuint32_t steps[5] = {1, 1, 1, 1, 1};
  cuuint64_t size[5], stride[5];
  for (int i = 0; i < 5; ++i) size[i] = shape.size[i], stride[i] = shape.stride_bytes[i];
  const CUtensorMapDataType type =
      shape.element_bytes == 2 ? CU_TENSOR_MAP_DATA_TYPE_BFLOAT16 : CU_TENSOR_MAP_DATA_TYPE_UINT8;
  const CUresult result = encode(
      reinterpret_cast<CUtensorMap*>(map), type, static_cast<cuuint32_t>(shape.rank),
      const_cast<void*>(shape.start), size, stride + 1, shape.box, steps, CU_TENSOR_MAP_INTERLEAVE_NONE,
      CU_TENSOR_MAP_SWIZZLE_128B, CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  return result == CUDA_SUCCESS ? kSuccess : kInvalidValue;
}

const BlasApi* CudaApi::blas(std::string* why) {
  static BlasApi api;
  static const Library library = [] {
    Library lt = Library::open("libcublasLt.so.13");
    return lt.bind(api.version, "cublasLtGetVersion")
        .bind(api.create, "cublasLtCreate")
        .bind(api.destroy, "cublasLtDestroy")
        .bind(api.product_create, "cublasLtMatmulDescCreate")
        .bind(api.product_destroy, "cublasLtMatmulDescDestroy")
        .bind(api.product_set, "cublasLtMatmulDescSetAttribute")
        .bind(api.layout_create, "cublasLtMatrixLayoutCreate")
        .bind(api.layout_destroy, "cublasLtMatrixLayoutDestroy")
        .bind(api.layout_set, "cublasLtMatrixLayoutSetAttribute")
        .bind(api.preference_create, "cublasLtMatmulPreferenceCreate")
        .bind(api.preference_destroy, "cublasLtMatmulPreferenceDestroy")
        .bind(api.preference_set, "cublasLtMatmulPreferenceSetAttribute")
        .bind(api.heuristic, "cublasLtMatmulAlgoGetHeuristic")
        .bind(api.matmul, "cublasLtMatmul");
  }();
  return found_or_null(library, api, why);
}

const DnnApi* CudaApi::dnn(std::string* why) {
  static DnnApi api;
  static const Library library = [] {
    Library cudnn = Library::open("libcudnn.so.9");
    return cudnn.bind(api.version, "cudnnGetVersion")
        .bind(api.create, "cudnnCreate")
        .bind(api.destroy, "cudnnDestroy")
        .bind(api.set_stream, "cudnnSetStream")
        .bind(api.error_text, "cudnnGetErrorString")
        .bind(api.descriptor_create, "cudnnBackendCreateDescriptor")
        .bind(api.descriptor_destroy, "cudnnBackendDestroyDescriptor")
        .bind(api.descriptor_finalize, "cudnnBackendFinalize")
        .bind(api.descriptor_set, "cudnnBackendSetAttribute")
        .bind(api.descriptor_get, "cudnnBackendGetAttribute")
        .bind(api.execute, "cudnnBackendExecute");
  }();
  return found_or_null(library, api, why);
}

const NvmlApi* CudaApi::nvml(std::string* why) {
  static NvmlApi api;
  static const Library library = [] {
    Library nvml = Library::open("libnvidia-ml.so.1");
    return nvml.bind(api.init, "nvmlInit_v2")
        .bind(api.error_text, "nvmlErrorString")
        .bind(api.driver_version, "nvmlSystemGetDriverVersion")
        .bind(api.device_by_index, "nvmlDeviceGetHandleByIndex_v2")
        .bind(api.device_by_uuid, "nvmlDeviceGetHandleByUUID")
        .bind(api.uuid, "nvmlDeviceGetUUID")
        .bind(api.name, "nvmlDeviceGetName")
        .bind(api.capability, "nvmlDeviceGetCudaComputeCapability")
        .bind(api.memory, "nvmlDeviceGetMemoryInfo")
        .bind(api.temperature, "nvmlDeviceGetTemperature")
        .bind(api.ecc_errors, "nvmlDeviceGetTotalEccErrors");
  }();
  return found_or_null(library, api, why);
}

}  // namespace

DeviceApi* bind_cuda();
DeviceApi* bind_cuda() {
  static CudaApi api;
  return &api;
}

}  // namespace rushes::kernels::cuda
