// Any bytes as a whole conversation with the server: the same replies whole and in pieces, one for
// each line, and the state keeps its promises after each.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/check.hpp"
#include "common/smtp/bdat_reader.hpp"
#include "common/smtp/data_reader.hpp"
#include "common/smtp/line_reader.hpp"
#include "common/smtp/server_session.hpp"

namespace {

using namespace millrace;
using namespace millrace::smtp;
using Next = Step::Next;

constexpr std::uint64_t size_max = 500;

// Refuses addresses that begin with `no`.
struct Policy final : ServerPolicy {
    std::optional<Reply> judge(const mail::Path& path) const {
        if (!path.local_part.starts_with("no")) return std::nullopt;
        return reply(550, "5.7.1", "no");
    }
    std::optional<Reply> mail(const MailArguments& arguments) override {
        return judge(arguments.path);
    }
    std::optional<Reply> rcpt(const RcptArguments& arguments) override {
        return judge(arguments.path);
    }
};

class Server {
  public:
    explicit Server(ServerOptions options) : session_(std::move(options), policy_) {}

    void feed(std::string_view bytes) {
        while (!closed_ && (!bytes.empty() || !chunk_waits_for_more())) {
            if (mode_ == Next::data) {
                data_.feed(bytes);
                if (!data_.done()) return;
                const bool large = data_.too_large();
                carry_out(finish(large ? 552 : 250));
            } else if (mode_ == Next::chunk) {
                chunks_.feed(bytes);
                if (!chunks_.done()) return;
                carry_out(session_.chunk_done(chunks_.too_large() ? ServerSession::Fit::too_large
                                                                  : ServerSession::Fit::within));
            } else {
                const auto line = lines_.next(bytes);
                if (!line) return;
                ++lines_read_;
                carry_out(session_.step(*line, ServerSession::Behind::nothing));
            }
        }
    }
    void judge() const {
        // A reply each, and 354 besides the answer to its message.
        const std::uint64_t open = mode_ == Next::data || mode_ == Next::chunk ? 1 : 0;
        const std::uint64_t due = lines_read_ + intermediate_ - (mode_ == Next::chunk ? 1 : 0);
        MILLRACE_CHECK(replies_ == due - (mode_ == Next::data ? open : 0));
    }
    const std::string& transcript() const { return transcript_; }

  private:
    bool chunk_waits_for_more() const { return mode_ != Next::chunk || !chunks_.done(); }

    Step finish(unsigned code) { return session_.finish(reply(code, "", "x")); }

    void carry_out(Step step) {
        while (true) {
            if (step.reply) {
                ++replies_;
                intermediate_ += step.reply->intermediate() ? 1 : 0;
                const std::string said = format(*step.reply);
                MILLRACE_CHECK(said.ends_with("\r\n") && !said.contains('\0'));
                transcript_ += said;
            }
            if (!session_.chunking()) started_ = false;
            MILLRACE_CHECK(!session_.chunking() || session_.in_transaction());
            mode_ = step.next;
            switch (step.next) {
                case Next::command:
                    return;
                case Next::close:
                    closed_ = true;
                    return;
                case Next::start_tls:
                    lines_.reset();
                    session_.tls_started();
                    MILLRACE_CHECK(!session_.in_transaction() && session_.helo().empty());
                    mode_ = Next::command;
                    return;
                case Next::data:
                    MILLRACE_CHECK(!session_.transaction().recipients.empty());
                    data_ = DataReader(size_max);
                    return;
                case Next::chunk:
                    if (step.keep && !started_) chunks_ = BdatReader(size_max);
                    started_ = started_ || step.keep;
                    chunks_.begin(step.octets,
                                  step.keep ? BdatReader::Chunk::keep : BdatReader::Chunk::forget);
                    MILLRACE_CHECK(step.octets <= size_max * 2);
                    return;
                case Next::store:
                    MILLRACE_CHECK(!session_.transaction().recipients.empty());
                    transcript_ += chunks_.take();
                    step = finish(250);
                    continue;
            }
        }
    }

    Policy policy_;
    ServerSession session_;
    LineReader lines_;
    DataReader data_{size_max};
    BdatReader chunks_{size_max};
    bool started_ = false;
    Next mode_ = Next::command;
    bool closed_ = false;
    std::uint64_t lines_read_ = 0, replies_ = 0, intermediate_ = 0;
    std::string transcript_;
};

std::string converse(const ServerOptions& options, std::string_view bytes, std::size_t step) {
    Server server(options);
    for (; !bytes.empty(); bytes.remove_prefix(std::min(step, bytes.size())))
        server.feed(bytes.substr(0, step));
    server.judge();
    return server.transcript();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
    ServerOptions options;
    options.hostname = "relay.example";
    options.size_max = size_max;
    options.recipients_max = 100;
    options.starttls = (data[1] & 1) != 0;
    options.xforward = (data[1] & 2) != 0;
    options.trusted = (data[1] & 4) != 0;
    const std::string whole = converse(options, bytes, bytes.size() + 1);
    MILLRACE_CHECK(whole == converse(options, bytes, data[0] % 16U + 1));
    return 0;
}
