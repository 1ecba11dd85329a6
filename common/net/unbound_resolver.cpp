#include "common/net/unbound_resolver.hpp"

#include <algorithm>
#include <deque>
#include <filesystem>
#include <map>
#include <unbound.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "common/net/dns_wire.hpp"

namespace millrace {
namespace {

// RFC 1035 §3.2.2, RFC 3596 §2.1.
constexpr int type_a = 1, type_ptr = 12, type_mx = 15, type_txt = 16, type_aaaa = 28;
constexpr int class_in = 1;

/// One answer without its type.
struct Reply {
    DnsStatus status = DnsStatus::temporary;
    std::vector<std::string> rdata;
    Duration ttl{};
    bool secure = false;
    std::string detail;
};

std::string rcode_name(int rcode) {
    switch (rcode) {
        case 1:
            return "FORMERR";
        case 2:
            return "SERVFAIL";
        case 4:
            return "NOTIMP";
        case 5:
            return "REFUSED";
        default:
            return "response code " + std::to_string(rcode);
    }
}

Reply nobody_knows(std::string detail) {
    Reply reply;
    reply.detail = std::move(detail);
    return reply;
}

/// libunbound did not ask anybody.
Reply refusal(int error) {
    Reply reply = nobody_knows(std::string("libunbound: ") + ub_strerror(error));
    // What cannot be written in the DNS cannot exist there.
    if (error == UB_SYNTAX) reply.status = DnsStatus::no_name;
    return reply;
}

Reply read_result(const ub_result& result) {
    const std::string name = result.qname == nullptr ? "" : result.qname;
    if (result.bogus) {
        const std::string why = result.why_bogus == nullptr ? "" : result.why_bogus;
        return nobody_knows("DNSSEC validation of " + name + " failed: " + why);
    }
    Reply reply;
    reply.ttl = std::chrono::seconds(std::max(result.ttl, 0));
    reply.secure = result.secure != 0;
    if (result.nxdomain) {
        reply.status = DnsStatus::no_name;
    } else if (result.rcode != 0) {
        return nobody_knows(rcode_name(result.rcode) + " for " + name);
    } else if (!result.havedata) {
        reply.status = DnsStatus::no_data;
    } else {
        reply.status = DnsStatus::found;
        for (int i = 0; result.data[i] != nullptr; ++i) {
            reply.rdata.emplace_back(result.data[i], static_cast<std::size_t>(result.len[i]));
        }
    }
    return reply;
}

template <class Record>
DnsAnswer<Record> typed(const Reply& reply, std::optional<Record> (*read)(std::string_view rdata)) {
    DnsAnswer<Record> answer;
    answer.ttl = reply.ttl;
    answer.secure = reply.secure;
    answer.detail = reply.detail;
    for (const std::string& rdata : reply.rdata) {
        if (auto record = read(rdata)) answer.records.push_back(std::move(*record));
    }
    answer.status = reply.status;
    if (reply.status == DnsStatus::found && answer.records.empty()) {
        answer.status = DnsStatus::temporary;
        answer.detail = "the records cannot be read";
    }
    return answer;
}

}  // namespace

/// Outlives the resolver while a question is open.
class UnboundResolver::Core : public std::enable_shared_from_this<Core> {
  public:
    struct Question {
        Question(const asio::any_io_executor& executor, std::string n, int t)
            : timer(executor), name(std::move(n)), type(t) {}
        asio::steady_timer timer;  ///< rings at the limit; cancelled by the answer
        std::string name;
        int type;
        int id = 0;
        bool asked = false;
        std::optional<Reply> reply;
        Core* core = nullptr;
    };
    using Open = std::shared_ptr<Question>;

    Core(asio::any_io_executor executor, const ResolverSettings& settings)
        : executor_(std::move(executor)),
          settings_(settings),
          context_(ub_ctx_create()),
          readable_(executor_) {}
    ~Core() {
        if (readable_.is_open()) readable_.release();  // the descriptor is libunbound's
        if (context_ != nullptr) ub_ctx_delete(context_);
    }
    Core(const Core&) = delete;

    Result<void> configure();
    Open begin(std::string name, int type);
    static Task<Reply> finish(std::shared_ptr<Core> core, Open question);
    void stop();
    bool validates() const { return validates_; }

  private:
    static void answered(void* question, int error, ub_result* result);
    void ask(const Open& question);
    void settle(Question& question, Reply reply);
    void ask_next();
    void watch();
    Result<void> set(const char* option, const char* value);

    asio::any_io_executor executor_;
    ResolverSettings settings_;
    ub_ctx* context_;
    asio::posix::stream_descriptor readable_;
    bool watching_ = false;
    bool validates_ = false;
    std::map<Question*, Open> asked_;  ///< by libunbound
    std::deque<Open> waiting_;         ///< for their turn
};

Result<void> UnboundResolver::Core::set(const char* option, const char* value) {
    if (const int error = ub_ctx_set_option(context_, option, value); error != 0) {
        return failure(
            Fault::invalid,
            std::string("libunbound: ") + option + " " + value + ": " + ub_strerror(error));
    }
    return {};
}

Result<void> UnboundResolver::Core::configure() {
    if (context_ == nullptr) return failure(Fault::unavailable, "libunbound cannot start");
    ub_ctx_debugout(context_, nullptr);  // what matters comes with the answers
    // A resolver on this machine is the usual one to ask, and unbound's default is never to.
    if (auto ok = set("do-not-query-localhost:", "no"); !ok) return ok;
    if (auto ok = set("msg-cache-size:", "8m"); !ok) return ok;
    if (auto ok = set("rrset-cache-size:", "16m"); !ok) return ok;
    // The root proves that these do not exist; who uses them has servers that know better.
    for (const char* local : {"test", "home.arpa", "internal"}) {
        if (auto ok = set("domain-insecure:", local); !ok) return ok;
    }
    // Nor does unbound ask for names of private addresses, unless it is told to.
    if (auto ok = set("unblock-lan-zones:", "yes"); !ok) return ok;
    if (auto ok = set("insecure-lan-zones:", "yes"); !ok) return ok;
    for (const Endpoint& server : settings_.servers) {
        const std::string text = server.address.to_string() + "@" + std::to_string(server.port);
        if (const int error = ub_ctx_set_fwd(context_, text.c_str()); error != 0) {
            return failure(Fault::invalid,
                           "DNS server " + server.text() + ": " + ub_strerror(error));
        }
    }
    if (settings_.servers.empty()) {
        // Without a readable file libunbound asks the root servers itself, which is as good.
        ub_ctx_resolvconf(context_, settings_.resolv_conf.c_str());
    }
    if (settings_.dnssec) {
        for (const std::string& anchor : settings_.trust_anchors) {
            std::error_code error;
            if (!std::filesystem::exists(anchor, error)) continue;
            if (const int bad = ub_ctx_add_ta_file(context_, anchor.c_str()); bad != 0) {
                return failure(Fault::invalid, anchor + ": " + ub_strerror(bad));
            }
            validates_ = true;
            break;
        }
    }
    // A thread and not a child process, which would carry a copy of every descriptor and secret.
    if (const int error = ub_ctx_async(context_, 1); error != 0) {
        return failure(Fault::unavailable, std::string("libunbound: ") + ub_strerror(error));
    }
    // Unbound answers NXDOMAIN for these unasked. Only after the servers have been set: adding a
    // zone ends the configuration.
    for (const char* zone : {"test.", "home.arpa."}) {
        if (const int error = ub_ctx_zone_add(context_, zone, "transparent"); error != 0) {
            return failure(Fault::invalid, std::string(zone) + " " + ub_strerror(error));
        }
    }
    boost::system::error_code error;
    readable_.assign(ub_fd(context_), error);
    if (error) return failure(Fault::unavailable, "libunbound: " + error.message());
    return {};
}

UnboundResolver::Core::Open UnboundResolver::Core::begin(std::string name, int type) {
    auto question = std::make_shared<Question>(executor_, std::move(name), type);
    question->core = this;
    question->timer.expires_after(settings_.limit);
    if (asked_.size() < settings_.in_flight_max) {
        ask(question);
    } else {
        waiting_.push_back(question);
    }
    return question;
}

void UnboundResolver::Core::ask(const Open& question) {
    const int error = ub_resolve_async(context_,
                                       question->name.c_str(),
                                       question->type,
                                       class_in,
                                       question.get(),
                                       &Core::answered,
                                       &question->id);
    if (error != 0) {
        settle(*question, refusal(error));
    } else {
        question->asked = true;
        asked_.emplace(question.get(), question);
        watch();
    }
}

void UnboundResolver::Core::settle(Question& question, Reply reply) {
    if (!question.reply) question.reply = std::move(reply);
    question.timer.cancel();
}

/// libunbound calls from within ub_process(), so on the loop.
void UnboundResolver::Core::answered(void* pointer, int error, ub_result* result) {
    auto& question = *static_cast<Question*>(pointer);
    Core& core = *question.core;
    const Open keep = core.asked_.at(&question);
    core.asked_.erase(&question);
    core.settle(question, error != 0 ? refusal(error) : read_result(*result));
    if (result != nullptr) ub_resolve_free(result);
}

void UnboundResolver::Core::ask_next() {
    while (!waiting_.empty() && asked_.size() < settings_.in_flight_max) {
        const Open next = std::move(waiting_.front());
        waiting_.pop_front();
        ask(next);
    }
}

/// Only while something is open: an idle resolver keeps no loop running.
void UnboundResolver::Core::watch() {
    if (watching_ || asked_.empty()) return;
    watching_ = true;
    readable_.async_wait(asio::posix::stream_descriptor::wait_read,
                         [self = shared_from_this()](const boost::system::error_code& error) {
                             self->watching_ = false;
                             if (!error) {
                                 ub_process(self->context_);
                                 self->ask_next();
                             }
                             self->watch();
                         });
}

Task<Reply> UnboundResolver::Core::finish(std::shared_ptr<Core> core, Open question) {
    if (!question->reply) {
        boost::system::error_code ignored;
        co_await question->timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    }
    if (!question->reply) {  // the limit, or the asking coroutine was cancelled
        question->reply = nobody_knows("no answer for " + question->name + " within " +
                                       to_human(core->settings_.limit));
        if (question->asked) {
            ub_cancel(core->context_, question->id);
            core->asked_.erase(question.get());
            if (core->asked_.empty()) core->readable_.cancel();
            core->ask_next();
        } else {
            std::erase(core->waiting_, question);
        }
    }
    co_return std::move(*question->reply);
}

void UnboundResolver::Core::stop() {
    for (const Open& question : std::exchange(waiting_, {})) {
        settle(*question, nobody_knows("the resolver was stopped"));
    }
    for (const auto& [pointer, question] : std::exchange(asked_, {})) {
        ub_cancel(context_, question->id);
        settle(*question, nobody_knows("the resolver was stopped"));
    }
    boost::system::error_code ignored;
    if (readable_.is_open()) readable_.cancel(ignored);
}

Result<std::unique_ptr<UnboundResolver>> UnboundResolver::make(asio::any_io_executor executor,
                                                               const ResolverSettings& settings) {
    auto core = std::make_shared<Core>(std::move(executor), settings);
    if (auto ok = core->configure(); !ok) return std::unexpected(ok.error());
    return std::unique_ptr<UnboundResolver>(new UnboundResolver(std::move(core)));
}

UnboundResolver::UnboundResolver(std::shared_ptr<Core> core) : core_(std::move(core)) {}

UnboundResolver::~UnboundResolver() {
    core_->stop();
}

bool UnboundResolver::validates() const {
    return core_->validates();
}

Task<DnsAnswer<MxRecord>> UnboundResolver::mx(std::string domain) {
    const auto core = core_;
    const auto question = core->begin(std::move(domain), type_mx);
    const Reply reply = co_await Core::finish(core, question);
    co_return typed<MxRecord>(reply, read_mx);
}

Task<DnsAnswer<std::string>> UnboundResolver::txt(std::string name) {
    const auto core = core_;
    const auto question = core->begin(std::move(name), type_txt);
    const Reply reply = co_await Core::finish(core, question);
    co_return typed<std::string>(reply, read_txt);
}

Task<DnsAnswer<std::string>> UnboundResolver::names(Address address) {
    const auto core = core_;
    const auto question = core->begin(reverse_name(address), type_ptr);
    const Reply reply = co_await Core::finish(core, question);
    co_return typed<std::string>(reply, read_dns_name);
}

Task<DnsAnswer<Address>> UnboundResolver::addresses(std::string host) {
    const auto core = core_;
    const auto question4 = core->begin(host, type_a);
    const auto question6 = core->begin(std::move(host), type_aaaa);
    const Reply reply4 = co_await Core::finish(core, question4);
    const Reply reply6 = co_await Core::finish(core, question6);
    auto v4 = typed<Address>(reply4, read_address);
    auto v6 = typed<Address>(reply6, read_address);
    if (v4.records.empty() && v6.records.empty()) {
        // Half an answer is none: the missing half may hold the address.
        if (v4.status == DnsStatus::temporary) co_return v4;
        if (v6.status == DnsStatus::temporary) co_return v6;
        if (v6.status == DnsStatus::no_name) v4.status = DnsStatus::no_name;
        v4.ttl = std::min(v4.ttl, v6.ttl);
        v4.secure = v4.secure && v6.secure;
        co_return v4;
    }
    if (v6.records.empty()) co_return v4;
    if (v4.records.empty()) co_return v6;
    v4.records.insert(v4.records.end(), v6.records.begin(), v6.records.end());
    v4.ttl = std::min(v4.ttl, v6.ttl);
    v4.secure = v4.secure && v6.secure;
    co_return v4;
}

}  // namespace millrace
