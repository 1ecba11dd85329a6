// How fast the durable spool takes mail over, and how many syncs that costs: N senders, each
// waiting for its own commit before the next. Prints one line per N.
//
//   spool_bench [FOLDER] [SECONDS]     FOLDER: on the disk to be measured (default: the current
//   one)

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <string>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <rocksdb/file_system.h>

#include "common/base/check.hpp"
#include "common/net/asio_clock.hpp"
#include "relay/spool/rocks_spool.hpp"

namespace {

using namespace millrace;
using namespace millrace::relay;

constexpr std::size_t body_size = 8000;

/// Counts the syncs of logs on their way to the disk.
class CountedFiles final : public rocksdb::FileSystemWrapper {
  public:
    CountedFiles() : FileSystemWrapper(rocksdb::FileSystem::Default()) {}
    const char* Name() const override { return "CountedFiles"; }
    rocksdb::IOStatus NewWritableFile(const std::string& name,
                                      const rocksdb::FileOptions& options,
                                      std::unique_ptr<rocksdb::FSWritableFile>* file,
                                      rocksdb::IODebugContext* debug) override {
        auto status = FileSystemWrapper::NewWritableFile(name, options, file, debug);
        if (status.ok() && name.ends_with(".log")) {
            *file = std::make_unique<Log>(*this, std::move(*file));
        }
        return status;
    }
    std::atomic<unsigned> syncs{0};

  private:
    class Log final : public rocksdb::FSWritableFileOwnerWrapper {
      public:
        Log(CountedFiles& files, std::unique_ptr<rocksdb::FSWritableFile> target)
            : FSWritableFileOwnerWrapper(std::move(target)), files_(files) {}
        rocksdb::IOStatus Sync(const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override {
            ++files_.syncs;
            return FSWritableFileOwnerWrapper::Sync(options, debug);
        }

      private:
        CountedFiles& files_;
    };
};

struct Run {
    Spool& spool;
    Clock& clock;
    Time end{};
    bool deliver = false;
    MessageIds ids{1};
    unsigned long accepted = 0;
    std::vector<Duration> waits;
};

Task<void> sender(Run& run) {
    auto const body = std::make_shared<const std::string>(body_size, 'x');
    while (run.clock.now() < run.end) {
        NewMail mail;
        mail.envelope.id = run.ids.next(run.clock.now());
        mail.envelope.recipients.push_back({"user@example.org", "example.org", "", {}});
        mail.body = body;
        Work work;
        work.key = {mail.envelope.id, 0};
        work.destination = "example.org";
        mail.works.push_back(work);
        Batch batch;
        batch.append.push_back(std::move(mail));
        auto const begun = run.clock.now();
        auto const done = co_await run.spool.commit(std::move(batch));
        MILLRACE_CHECK(done.has_value());
        run.waits.push_back(run.clock.now() - begun);
        ++run.accepted;
        if (!run.deliver) continue;
        Batch result;
        Event event;
        event.kind = EventKind::delivered;
        result.finish.push_back({work.key, work.version, event});
        auto const finished = co_await run.spool.commit(std::move(result));
        MILLRACE_CHECK(finished.has_value());
    }
}

double cpu_seconds() {
    return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

void measure(const std::string& folder, unsigned senders, double seconds, bool deliver) {
    auto name = folder + "/spool-bench-XXXXXX";
    MILLRACE_CHECK(::mkdtemp(name.data()) != nullptr);
    AsioClock clock;
    NullLog log;
    asio::io_context io;
    RocksOptions options;
    options.directory = name;
    auto const files = std::make_shared<CountedFiles>();
    options.files = files;
    {
        auto spool = open_rocks_spool(options, io.get_executor(), clock, log);
        if (!spool) {
            std::printf("%s\n", spool.error().detail.c_str());
            std::exit(1);
        }
        Run run{.spool = **spool, .clock = clock, .deliver = deliver, .waits = {}};
        auto const begun = clock.now();
        auto const cpu = cpu_seconds();
        run.end = begun + std::chrono::milliseconds(static_cast<long>(seconds * 1000));
        files->syncs = 0;
        for (unsigned i = 0; i < senders; ++i)
            asio::co_spawn(io, sender(run), asio::detached);
        io.run();
        std::chrono::duration<double> const took = clock.now() - begun;
        auto const n = static_cast<double>(run.accepted);
        std::ranges::sort(run.waits);
        auto const wait = [&](double part) {
            auto const at = static_cast<std::size_t>(part * (n - 1));
            return std::chrono::duration<double, std::milli>(run.waits.at(at)).count();
        };
        std::printf(
            "%-18s %4u senders: %7.0f messages/s, %.3f syncs/message, %.0f us CPU/message, "
            "wait p50 %.2f ms p99 %.2f ms\n",
            deliver ? "accept and finish" : "accept",
            senders,
            n / took.count(),
            files->syncs / n,
            1e6 * (cpu_seconds() - cpu) / n,
            wait(0.5),
            wait(0.99));
    }
    std::filesystem::remove_all(name);
}

}  // namespace

int main(int argc, char** argv) {
    std::string const folder = argc > 1 ? argv[1] : ".";
    double const seconds = argc > 2 ? std::atof(argv[2]) : 3;
    for (unsigned const senders : {1U, 8U, 64U, 512U}) {
        measure(folder, senders, seconds, false);
        measure(folder, senders, seconds, true);
    }
}
