// A part of libtch: loads libtorch's CUDA half as a program starts, where there is an NVIDIA driver. No
// symbol refers to that half; it registers itself with libtorch. A program that is linked with it would
// need its 3 GB on a machine without a GPU, too, and 270 MB of memory more.

#include <dlfcn.h>

__attribute__((constructor)) static void load_cuda_half() {
    if (dlopen("libcuda.so.1", RTLD_LAZY) != nullptr) {
        // If it is not installed, training runs on the CPU; `cargo d2l doctor` says so.
        dlopen("libtorch_cuda.so", RTLD_LAZY | RTLD_GLOBAL);
    }
}
