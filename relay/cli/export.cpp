#include "relay/cli/export.hpp"

#include <fmt/format.h>
#include <set>

#include <boost/json.hpp>

#include "common/net/asio_clock.hpp"
#include "relay/cli/export_files.hpp"
#include "relay/cli/export_folder.hpp"
#include "relay/cli/json_view.hpp"

namespace millrace::relay {
namespace {

constexpr std::size_t batch_messages = 100;
constexpr std::size_t batch_bytes = 32 << 20;
constexpr std::size_t in_way_shown = 5;
constexpr Duration progress_after = std::chrono::seconds(2);
constexpr Duration progress_every = std::chrono::milliseconds(200);

/// A message whose files are written; what of it is to leave the queue.
struct Message {
    std::string id;
    std::set<std::uint64_t> selected;  // positions among the recipients
    boost::json::object envelope;
};

class Export {
  public:
    Export(Client& relay, ExportFolder& folder, const ExportOrder& order)
        : relay_(relay), folder_(folder), order_(order) {}

    /// A recipient that waits, in order of messages.
    Result<void> take(const boost::json::object& recipient) {
        auto const id = text_of(recipient, "id");
        if (id != next_.id) {
            if (auto const done = close_message(); !done) {
                return done;
            }
            next_ = {};
            next_.id = id;
        }
        next_.selected.insert(number_of(recipient, "index"));
        return {};
    }

    Result<Exported> finish() {
        auto done = close_message();
        if (done) {
            done = settle();
        }
        clear_progress();
        if (!done) {
            return std::unexpected(done.error());
        }
        return result_;
    }

    const Exported& so_far() const { return result_; }

    void clear_progress() {
        if (progress_shown_) {
            fmt::print(stderr, "\r\x1b[K");
            progress_shown_ = false;
        }
    }

  private:
    /// Reads the message whose recipients are known now, and stages its files.
    Result<void> close_message() {
        if (next_.id.empty()) {
            return {};
        }
        std::string bytes;
        auto const end = relay_.ask({{"command", "fetch"}, {"name", next_.id}},
                                    [&](const boost::json::object& item) {
                                        if (item.contains("bytes")) {
                                            bytes += bytes_of(text_of(item, "bytes"));
                                        } else {
                                            next_.envelope = item;
                                        }
                                        return true;
                                    });
        if (!end && end.error().fault == Fault::not_found) {
            return {};  // it was delivered meanwhile
        }
        if (!end) {
            return std::unexpected(end.error());
        }
        auto const staged = stage(bytes);
        if (!staged) {
            return std::unexpected(staged.error());
        }
        if (!*staged) {
            return {};
        }
        bytes_ += bytes.size();
        batch_.push_back(std::move(next_));
        next_ = {};
        show_progress();
        return batch_.size() >= batch_messages || bytes_ >= batch_bytes ? settle() : Result<void>{};
    }

    /// False: a file of another content has one of the names.
    Result<bool> stage(const std::string& bytes) {
        auto message = folder_.stage(next_.id + ".eml", bytes);
        if (!message) {
            return std::unexpected(message.error());
        }
        auto envelope = message;
        if (*message != ExportFolder::Staged::in_way) {
            envelope = folder_.stage(next_.id + ".json",
                                     envelope_file(next_.envelope, next_.selected, {}));
        }
        if (!envelope) {
            return std::unexpected(envelope.error());
        }
        if (*envelope != ExportFolder::Staged::in_way) {
            return true;
        }
        ++result_.in_way;
        if (result_.first_in_way.size() < in_way_shown) {
            result_.first_in_way.push_back(folder_.path() + "/" + next_.id);
        }
        return false;
    }

    /// Makes the batch durable; then, and only then, takes it out of the queue.
    Result<void> settle() {
        if (auto settled = folder_.settle(); !settled) {
            return settled;
        }
        for (auto const& message : batch_) {
            ++result_.messages;
            result_.recipients += message.selected.size();
        }
        if (order_.remove) {
            for (auto const& message : batch_) {
                if (auto removed = remove(message); !removed) {
                    return removed;
                }
                show_progress();
            }
            if (auto settled = folder_.settle(); !settled) {
                return settled;
            }
        }
        batch_.clear();
        bytes_ = 0;
        return {};
    }

    Result<void> remove(const Message& message) {
        std::uint64_t count = 0;
        std::set<std::string> addresses;
        for (auto const& value : list_of(message.envelope, "recipients")) {
            auto const& recipient = value.get_object();
            if (message.selected.contains(number_of(recipient, "index"))) {
                addresses.insert(text_of(recipient, "address"));
            }
        }
        for (auto const& address : addresses) {
            auto const end =
                relay_.ask({{"command", "remove"},
                            {"filter", {{"id", message.id}, {"recipient", address}}},
                            {"reason", "exported to " + folder_.path().substr(0, path_shown)}},
                           [](const boost::json::object&) { return true; });
            if (!end) {
                return std::unexpected(end.error());
            }
            count += number_of(*end, "recipients");
        }
        auto removed = message.selected;
        if (count != message.selected.size()) {
            auto const found = removed_ones(message);
            if (!found) {
                return std::unexpected(found.error());
            }
            removed = *found;
        }
        result_.removed += removed.size();
        result_.left += message.selected.size() - removed.size();
        auto const staged = folder_.stage(
            message.id + ".json", envelope_file(message.envelope, message.selected, removed), true);
        return staged ? Result<void>{} : std::unexpected(staged.error());
    }

    /// Which of the selected ones left the queue by our hand, says the journal.
    Result<std::set<std::uint64_t>> removed_ones(const Message& message) {
        std::set<std::string> gone;
        auto const end = relay_.ask({{"command", "show"}, {"name", message.id}},
                                    [&](const boost::json::object& item) {
                                        for (auto const& value : list_of(item, "history")) {
                                            auto const& event = value.get_object();
                                            if (text_of(event, "event") == "removed") {
                                                gone.insert(text_of(event, "recipient"));
                                            }
                                        }
                                        return true;
                                    });
        if (!end) {
            return std::unexpected(end.error());
        }
        std::set<std::uint64_t> removed;
        for (auto const& value : list_of(message.envelope, "recipients")) {
            auto const& recipient = value.get_object();
            auto const index = number_of(recipient, "index");
            if (message.selected.contains(index) && gone.contains(text_of(recipient, "address"))) {
                removed.insert(index);
            }
        }
        return removed;
    }

    void show_progress() {
        auto const now = AsioClock().wall();
        if (!stderr_is_terminal() || now - began_ < progress_after ||
            now - shown_ < progress_every) {
            return;
        }
        shown_ = now;
        progress_shown_ = true;
        fmt::print(stderr,
                   "\r{} exported, {} removed …\x1b[K",
                   count_of(result_.messages + batch_.size(), "message"),
                   count_of(result_.removed, "recipient"));
    }

    static constexpr std::size_t path_shown = 250;  // the relay takes reasons of 300 bytes

    Client& relay_;
    ExportFolder& folder_;
    const ExportOrder& order_;
    Message next_;
    std::vector<Message> batch_;
    std::size_t bytes_ = 0;
    Exported result_;
    Time began_ = AsioClock().wall();
    Time shown_{};
    bool progress_shown_ = false;
};

Failure broken_off(const Failure& failure, const Exported& so_far) {
    return {
        failure.fault,
        fmt::format(
            "{}; before that {} (exported) and {} (removed) were done and are in the folder: mend "
            "it, and export the rest into another one",
            failure.detail,
            count_of(so_far.messages, "message"),
            count_of(so_far.removed, "recipient"))};
}

}  // namespace

Result<Exported> export_mail(const Session& session, const ExportOrder& order) {
    // One connection lists, the other fetches and removes: the queue is never held in memory.
    auto list = reach_relay(session);
    if (!list) {
        return std::unexpected(list.error());
    }
    auto relay = reach_relay(session);
    if (!relay) {
        return std::unexpected(relay.error());
    }
    auto folder = ExportFolder::open(order.folder);
    if (!folder) {
        return std::unexpected(folder.error());
    }
    auto const readme = folder->stage("README", export_readme());
    if (!readme) {
        return std::unexpected(readme.error());
    }
    boost::json::object request{{"command", "queue"}, {"filter", order.filter}};
    if (!order.name.empty()) {
        request["name"] = order.name;
    }
    Export work(*relay, *folder, order);
    Result<void> taken;
    auto const end = list->ask(std::move(request), [&](const boost::json::object& recipient) {
        taken = work.take(recipient);
        return taken.has_value();
    });
    work.clear_progress();
    if (!taken) {
        return std::unexpected(broken_off(taken.error(), work.so_far()));
    }
    if (!end) {
        return std::unexpected(end.error());
    }
    auto const result = work.finish();
    return result ? result
                  : Result<Exported>(std::unexpected(broken_off(result.error(), work.so_far())));
}

}  // namespace millrace::relay
