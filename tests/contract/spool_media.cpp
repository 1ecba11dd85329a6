#include <cstdlib>
#include <filesystem>
#include <map>

#include "relay/spool/memory_spool.hpp"
#include "relay/spool/rocks_spool.hpp"
#include "relay/spool/rocks_store.hpp"
#include "tests/contract/spool_contract.hpp"

// The spools that the suite runs on.

namespace millrace::relay {
namespace {

namespace fs = std::filesystem;

class MemoryMedium final : public SpoolUnderTest {
  public:
    std::unique_ptr<Spool> open(asio::any_io_executor executor, Clock& clock, Log& log) override {
        return std::make_unique<MemorySpool>(disk_, executor, clock, log, MemorySpool::Options{});
    }
    void crash(std::unique_ptr<Spool> spool) override {
        disk_->crash();
        spool.reset();
    }
    void fill(bool full) override {
        disk_->reserve = full ? 1U << 20U : 0;
        disk_->capacity = full ? disk_->durable().body_bytes + disk_->reserve : UINT64_MAX;
    }
    bool rot(MessageId id) override { return disk_->rot(id); }

  private:
    std::shared_ptr<MemoryDisk> disk_ = std::make_shared<MemoryDisk>();
};

class RocksMedium final : public SpoolUnderTest {
  public:
    RocksMedium() {
        auto name = (fs::temp_directory_path() / "millrace-spool-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) std::abort();
        root_ = name;
        fs::create_directory(here());
    }
    ~RocksMedium() override { fs::remove_all(root_); }

    std::unique_ptr<Spool> open(asio::any_io_executor executor, Clock& clock, Log& log) override {
        RocksOptions options;
        options.directory = here();
        options.free_min = full_ ? UINT64_MAX / 8 : 1U << 20U;
        options.reserve = 1U << 20U;
        auto spool = open_rocks_spool(options, executor, clock, log);
        if (!spool) {
            ADD_FAILURE() << spool.error().detail;
            return nullptr;
        }
        return std::move(*spool);
    }
    void crash(std::unique_ptr<Spool> spool) override {
        // What kill -9 leaves: the files as they are at this moment, nothing closed or flushed.
        auto const before = here();
        ++life_;
        copy_of_one_moment(before, here());
        spool.reset();
        fs::remove_all(before);
    }
    void fill(bool full) override { full_ = full; }
    bool rot(MessageId id) override {
        auto const store = RocksStore::open(here() + "/store", 1ULL << 30U, nullptr);
        if (!store) return false;
        auto bytes = (*store)->get(Family::body, message_key(id), "body");
        if (!bytes) return false;
        bytes->back() = static_cast<char>(bytes->back() ^ 1);
        return (*store)->db().Put({}, (*store)->family(Family::body), message_key(id), *bytes).ok();
    }

  private:
    /// A kill leaves the files of one moment. A copy takes longer, and the store works on beside it: the copy
    /// counts when nothing has changed since it was begun.
    static void copy_of_one_moment(const fs::path& from, const fs::path& to) {
        constexpr int patience = 1000;
        for (int i = 0; i < patience; ++i) {
            auto const before = listing(from);
            fs::remove_all(to);
            std::error_code changing;
            fs::copy(from, to, fs::copy_options::recursive, changing);
            if (!changing && listing(from) == before) return;
        }
        ADD_FAILURE() << "the spool in " << from << " is never at rest";
    }
    struct File {
        std::uintmax_t size;
        fs::file_time_type changed;
        bool operator==(const File&) const = default;
    };
    static std::map<fs::path, File> listing(const fs::path& folder) {
        std::map<fs::path, File> out;
        std::error_code vanished;
        for (auto const& entry : fs::recursive_directory_iterator(folder)) {
            auto const size = entry.is_directory(vanished) ? 0 : entry.file_size(vanished);
            out[entry.path()] = {size, entry.last_write_time(vanished)};
        }
        return out;
    }
    std::string here() const { return root_ + "/" + std::to_string(life_); }
    std::string root_;
    int life_ = 0;
    bool full_ = false;
};

}  // namespace

Spools spools_under_test() {
    return testing::Values(
        std::pair<std::string, MakeSpool>("Memory",
                                          [] { return std::make_unique<MemoryMedium>(); }),
        std::pair<std::string, MakeSpool>("Rocks", [] { return std::make_unique<RocksMedium>(); }));
}

INSTANTIATE_TEST_SUITE_P(Spools, SpoolContract, spools_under_test(), [](auto const& info) {
    return info.param.first;
});

}  // namespace millrace::relay
