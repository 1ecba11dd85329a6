#include "relay/spool/stream.hpp"
#include "relay/spool/memory_spool.hpp"

#include <algorithm>
#include <deque>

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "relay/spool/crc32c.hpp"
#include "relay/spool/filter.hpp"
#include "relay/spool/memory_store.hpp"

namespace millrace::relay {

/// Commits that wait for their flush. Owned by the flushing coroutine alone, so that they go when
/// the machine's coroutines go.
struct MemorySpool::Flushing {
    using Handler = std::move_only_function<void(Result<Committed>)>;
    struct Waiting {
        Batch batch;
        Handler done;
    };
    std::deque<Waiting> waiting, group;
};

struct MemorySpool::Core {
    Core(std::shared_ptr<MemoryDisk> disk,
         asio::any_io_executor on,
         Clock& time,
         Log& log,
         Options given)
        : store(std::move(disk), log), executor(on), clock(time), options(std::move(given)) {}

    MemoryStore store;
    asio::any_io_executor executor;
    Clock& clock;
    Options options;
    std::weak_ptr<Flushing> flushing;
};

MemorySpool::MemorySpool(std::shared_ptr<MemoryDisk> disk,
                         asio::any_io_executor executor,
                         Clock& clock,
                         Log& log,
                         Options options)
    : core_(std::make_shared<Core>(std::move(disk), executor, clock, log, std::move(options))) {
    core_->store.disk().die_ = [core = std::weak_ptr(core_)](auto const& keep) {
        auto const alive = core.lock();
        auto const flushing = alive ? alive->flushing.lock() : nullptr;
        if (!flushing || !keep) return;
        auto const kept = std::min(keep(flushing->group.size()), flushing->group.size());
        for (std::size_t i = 0; i < kept; ++i) {
            static_cast<void>(alive->store.commit(flushing->group[i].batch));
        }
    };
}

MemorySpool::~MemorySpool() {
    if (core_->store.usable()) core_->store.disk().die_ = nullptr;
}

Task<void> MemorySpool::flush(std::shared_ptr<Core> core, std::shared_ptr<Flushing> flushing) {
    while (!flushing->waiting.empty()) {
        flushing->group = std::exchange(flushing->waiting, {});
        std::vector<Batch*> batches;
        for (auto& entry : flushing->group)
            batches.push_back(&entry.batch);
        if (core->store.usable()) core->store.begin(std::move(batches), core->clock.now());
        if (core->options.commit_delay) {
            co_await core->clock.sleep(core->options.commit_delay());
        } else {
            co_await asio::post(core->executor, asio::use_awaitable);
        }
        auto group = std::exchange(flushing->group, {});
        for (auto& entry : group) {
            entry.done(core->store.commit(entry.batch));
        }
    }
}

Task<Result<Committed>> MemorySpool::commit(Batch batch) {
    if (auto const ok = core_->store.usable(); !ok) co_return std::unexpected(ok.error());
    auto start = [core = core_, batch = std::move(batch)](auto handler) mutable {
        auto home = asio::get_associated_executor(handler);
        auto resume = [home, handler = std::move(handler)](Result<Committed> result) mutable {
            asio::post(home, [handler = std::move(handler), result = std::move(result)]() mutable {
                handler(std::move(result));
            });
        };
        auto flushing = core->flushing.lock();
        if (flushing) {
            flushing->waiting.push_back({std::move(batch), std::move(resume)});
            return;
        }
        flushing = std::make_shared<Flushing>();
        core->flushing = flushing;
        flushing->waiting.push_back({std::move(batch), std::move(resume)});
        asio::co_spawn(core->executor, flush(core, std::move(flushing)), asio::detached);
    };
    co_return co_await asio::async_initiate<const asio::use_awaitable_t<>, void(Result<Committed>)>(
        std::move(start), asio::use_awaitable);
}

Task<Result<Body>> MemorySpool::body(MessageId id) {
    if (auto const ok = core_->store.usable(); !ok) co_return std::unexpected(ok.error());
    auto const& bodies = core_->store.now().bodies;
    auto const found = bodies.find(id);
    if (found == bodies.end()) co_return failure(Fault::not_found, "no body for " + id.text());
    if (crc32c(*found->second.bytes) != found->second.crc) {
        co_return failure(Fault::corrupt, "the body of " + id.text() + " fails its checksum");
    }
    co_return found->second.bytes;
}

Task<Result<Envelope>> MemorySpool::envelope(MessageId id) {
    if (auto const ok = core_->store.usable(); !ok) co_return std::unexpected(ok.error());
    auto const& envelopes = core_->store.now().envelopes;
    auto const found = envelopes.find(id);
    if (found == envelopes.end()) co_return failure(Fault::not_found, "no message " + id.text());
    co_return *found->second;
}

Task<Result<std::vector<StreamSummary>>> MemorySpool::summary() {
    if (auto const ok = core_->store.usable(); !ok) co_return std::unexpected(ok.error());
    std::map<std::string, StreamSummary> by_name;
    for (auto const& [key, work] : core_->store.now().works) {
        auto const stream = stream_name(*work);
        auto& row = by_name[stream];
        row.stream = stream;
        row.destination = work->destination;
        row.oldest = std::min(row.oldest, work->born);
        if (work->held) {
            ++row.held;
        } else {
            ++row.count;
            row.next_due = std::min(row.next_due, work->due);
        }
    }
    std::vector<StreamSummary> out;
    for (auto& [name, row] : by_name)
        out.push_back(std::move(row));
    co_return out;
}

Task<Result<std::vector<Work>>> MemorySpool::due(std::string stream,
                                                 Time until,
                                                 DueCursor after,
                                                 unsigned max) {
    if (auto const ok = core_->store.usable(); !ok) co_return std::unexpected(ok.error());
    auto const& state = core_->store.now();
    std::vector<Work> out;
    auto const queue = state.due.find(stream);
    if (queue == state.due.end()) co_return out;
    auto at = queue->second.upper_bound({after.due, after.key});
    for (; at != queue->second.end() && at->first <= until && out.size() < max; ++at) {
        out.push_back(*state.works.at(at->second));
    }
    co_return out;
}

Task<Result<std::vector<Work>>> MemorySpool::aged(bool told,
                                                  Time until,
                                                  DueCursor after,
                                                  unsigned max) {
    if (auto const ok = core_->store.usable(); !ok) co_return std::unexpected(ok.error());
    auto const& state = core_->store.now();
    auto const& index = state.age[told ? 1 : 0];
    std::vector<Work> out;
    auto at = index.upper_bound({after.due, after.key});
    for (; at != index.end() && at->first <= until && out.size() < max; ++at) {
        out.push_back(*state.works.at(at->second));
    }
    co_return out;
}

Task<Result<StoredMail>> MemorySpool::mail(MessageId id) {
    if (auto const ok = core_->store.usable(); !ok) co_return std::unexpected(ok.error());
    auto const& state = core_->store.now();
    auto const found = state.envelopes.find(id);
    if (found == state.envelopes.end()) {
        co_return failure(Fault::not_found, "no message " + id.text());
    }
    StoredMail out{*found->second, {}};
    auto at = state.works.lower_bound(WorkKey{id, 0});
    for (; at != state.works.end() && at->first.message == id; ++at) {
        out.works.push_back(*at->second);
    }
    co_return out;
}

Task<Result<std::vector<Work>>> MemorySpool::find(WorkFilter filter, WorkKey after, unsigned max) {
    if (auto const ok = core_->store.usable(); !ok) co_return std::unexpected(ok.error());
    auto const& state = core_->store.now();
    std::vector<Work> out;
    auto at = state.works.upper_bound(after);
    for (; at != state.works.end() && out.size() < max; ++at) {
        if (!matches(filter, *at->second)) continue;
        if (needs_envelope(filter)) {
            auto const envelope = state.envelopes.find(at->first.message);
            if (envelope == state.envelopes.end() || !matches(filter, *envelope->second)) continue;
        }
        out.push_back(*at->second);
    }
    co_return out;
}

Task<Result<std::vector<Event>>> MemorySpool::events(std::uint64_t after, unsigned max) {
    if (auto const ok = core_->store.usable(); !ok) co_return std::unexpected(ok.error());
    auto const& events = core_->store.now().events;
    std::vector<Event> out;
    for (auto at = events.upper_bound(after); at != events.end() && out.size() < max; ++at) {
        out.push_back(*at->second);
    }
    co_return out;
}

Task<Result<std::vector<Event>>> MemorySpool::history(MessageId id) {
    if (auto const ok = core_->store.usable(); !ok) co_return std::unexpected(ok.error());
    auto const& state = core_->store.now();
    std::vector<Event> out;
    if (auto const chapter = state.story.find(id); chapter != state.story.end()) {
        for (auto const event : chapter->second)
            out.push_back(*state.events.at(event));
    }
    co_return out;
}

Task<Result<void>> MemorySpool::trim(std::uint64_t up_to) {
    MemoryDelta delta;
    delta.trim_to = up_to;
    co_return core_->store.put(std::move(delta));
}

Task<Result<void>> MemorySpool::put_note(std::string name, std::string value) {
    MemoryDelta delta;
    delta.notes.emplace_back(std::move(name), std::move(value));
    co_return core_->store.put(std::move(delta));
}

Task<Result<std::string>> MemorySpool::note(std::string name) {
    if (auto const ok = core_->store.usable(); !ok) co_return std::unexpected(ok.error());
    auto const& notes = core_->store.now().notes;
    auto const found = notes.find(name);
    if (found == notes.end()) co_return failure(Fault::not_found, "no note " + name);
    co_return found->second;
}

Task<Result<void>> MemorySpool::drop_note(std::string name) {
    MemoryDelta delta;
    delta.notes.emplace_back(std::move(name), std::nullopt);
    co_return core_->store.put(std::move(delta));
}

Task<Result<std::vector<Note>>> MemorySpool::notes(std::string prefix,
                                                   std::string after,
                                                   unsigned max) {
    if (auto const ok = core_->store.usable(); !ok) co_return std::unexpected(ok.error());
    auto const& all = core_->store.now().notes;
    std::vector<Note> out;
    auto at = after < prefix ? all.lower_bound(prefix) : all.upper_bound(after);
    for (; at != all.end() && at->first.starts_with(prefix) && out.size() < max; ++at) {
        out.push_back({at->first, at->second});
    }
    co_return out;
}

Task<Result<Stock>> MemorySpool::stock() {
    if (auto const ok = core_->store.usable(); !ok) co_return std::unexpected(ok.error());
    co_return core_->store.now().stock();
}

MessageId MemorySpool::last_id() const {
    return core_->store.now().last_id;
}

SpoolHealth MemorySpool::health() const {
    auto const& store = core_->store;
    auto const& state = store.now();
    SpoolHealth out;
    auto const room = store.disk().capacity - std::min(store.disk().capacity, state.body_bytes);
    out.free_bytes = room - std::min(room, store.disk().reserve);
    out.queued = state.works.size();
    out.books = state.books;
    if (!state.works.empty()) out.oldest = state.works.begin()->second->born;
    out.why = store.alarm();
    if (out.free_bytes == 0) {
        out.accepting = false;
        out.why = "no room for new mail";
    }
    if (auto const ok = store.usable(); !ok) {
        out.accepting = false;
        out.broken = true;
        out.why = ok.error().detail;
    }
    return out;
}

}  // namespace millrace::relay
