#include "relay/attach/handover_key.hpp"

#include <array>
#include <cstring>
#include <filesystem>

#include <openssl/evp.h>
#include <openssl/rand.h>

#include "relay/attach/record.hpp"

namespace millrace::attach {

Result<void> make_handover_key(const std::string& file, gid_t group) {
    std::error_code error;
    if (std::filesystem::exists(file, error)) {
        return {};
    }
    std::array<unsigned char, 32> key{};
    if (RAND_bytes(key.data(), key.size()) != 1) {
        return failure(Fault::unavailable, "the system gives no random bytes");
    }
    std::array<unsigned char, 64> text{};  // 44 characters and a zero
    EVP_EncodeBlock(text.data(), key.data(), key.size());
    return write_whole(
        file, std::string(reinterpret_cast<const char*>(text.data())) + "\n", 0640, 0, group);
}

}  // namespace millrace::attach
