// Runs a fuzz target over files and folders given as arguments, for builds without libFuzzer: every
// seed and every input that once found something is a test everywhere. Prints how many it ran; none
// is a failure.

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

void replay(const std::filesystem::path& file) {
    std::ifstream in(file, std::ios::binary);
    std::string const bytes{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
}

}  // namespace

int main(int argc, char** argv) {
    std::size_t ran = 0;
    for (int i = 1; i < argc; ++i) {
        std::filesystem::path const given = argv[i];
        if (!std::filesystem::is_directory(given)) {
            replay(given);
            ++ran;
            continue;
        }
        for (const auto& entry : std::filesystem::recursive_directory_iterator(given)) {
            if (!entry.is_regular_file()) continue;
            replay(entry.path());
            ++ran;
        }
    }
    std::printf("%zu inputs replayed\n", ran);
    return ran == 0 ? 1 : 0;
}
