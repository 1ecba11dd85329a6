#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "common/virtual/network.hpp"
#include "relay/intake/smtp_server.hpp"

/// A real SmtpServer on a virtual wire, with clients that say what a test tells them to.
namespace millrace::relay::test {

using namespace std::chrono_literals;

/// Keeps what it is given, or fails as it is told.
class Shelf final : public Acceptor {
  public:
    explicit Shelf(Clock& clock) : clock_(clock) {}
    MessageId next_id() override { return ids_.next(clock_.now()); }
    Task<Result<void>> accept(NewMail mail) override {
        if (delay > Duration::zero()) co_await clock_.sleep(delay);
        if (fault) co_return failure(*fault, "as the test asked");
        taken.push_back(std::move(mail));
        co_return Result<void>{};
    }
    SpoolHealth health() const override { return state; }

    std::vector<NewMail> taken;
    std::optional<Fault> fault;
    Duration delay{};
    SpoolHealth state;

  private:
    Clock& clock_;
    MessageIds ids_{1};
};

/// Remembers the names of what was logged.
class Diary final : public Log {
  public:
    void write(Level, std::string_view event, std::initializer_list<Field> fields) override {
        lines.push_back(format_log_line(event, fields));
    }
    unsigned count(std::string_view event) const {
        unsigned n = 0;
        for (const std::string& line : lines)
            n += line.starts_with(event) ? 1 : 0;
        return n;
    }
    std::vector<std::string> lines;
};

/// One client's connection; hears everything that is said to it.
struct Client {
    std::unique_ptr<Stream> stream;
    std::string heard;
    bool over = false;     ///< the server closed, or the connection broke
    bool refused = false;  ///< never connected

    /// What was heard since the last call.
    std::string news() { return std::exchange(heard, {}); }
};

class House {
  public:
    explicit House(config::Settings wanted = defaults())
        : settings(std::make_shared<const config::Settings>(std::move(wanted))),
          shelf(relay),
          talks(clients.executor(), diary, "clients"),
          ends(relay.executor(), diary, "ends"),
          relay_wire(wires.plug(relay, {boost::asio::ip::make_address("198.51.100.1")})),
          client_wire(wires.plug(clients, {boost::asio::ip::make_address("192.0.2.1")})) {
        virtual_::Conditions fast;
        fast.latency_least = fast.latency_most = 1ms;
        wires.conditions(fast);
        std::vector<std::unique_ptr<Listener>> listeners;
        auto listener = relay_wire.listen(at);
        EXPECT_TRUE(listener);
        listeners.push_back(std::move(*listener));
        server = std::make_unique<SmtpServer>(
            IntakeWorld{relay.executor(), relay, diary, metrics, shelf},
            settings,
            std::move(listeners));
        server->start();
    }
    ~House() {
        if (!stopped) stop(1s);
        for (const auto& client : all) {
            if (client->stream) client->stream->close();
        }
        sim.run_until(sim.now() + 1min);
        sim.shutdown();
    }

    static config::Settings defaults() {
        config::Settings out;
        out.relay.hostname = "relay.example";
        config::Listener listener;
        listener.address = "198.51.100.1";
        listener.trusted = {*Network4or6::parse("192.0.2.0/24")};
        out.relay.listeners = {listener};
        out.relay.limits.message_size = 100'000;
        out.relay.limits.recipients_per_message = 100;
        out.gate.message_id_domain = "relay.example";
        return out;
    }

    Client& connect() {
        all.push_back(std::make_unique<Client>());
        Client& client = *all.back();
        talks.spawn(listen_to(client));
        run(20ms);
        return client;
    }
    /// Says it and waits a little; what was answered.
    std::string say(Client& client, std::string bytes) {
        talks.spawn(send(client, std::move(bytes)));
        run(20ms);
        return client.news();
    }
    /// The first three characters of the last answer line.
    std::string code(Client& client, const std::string& line) {
        const std::string answer = say(client, line + "\r\n");
        if (answer.size() < 5) return answer;
        const std::size_t last = answer.rfind("\r\n", answer.size() - 3);
        return answer.substr(last == std::string::npos ? 0 : last + 2, 3);
    }
    /// A connection with the greeting and EHLO behind it, and what more is said.
    Client& greeted(const std::vector<std::string>& lines = {}) {
        Client& client = connect();
        EXPECT_EQ(client.news(), "220 relay.example ESMTP\r\n");
        EXPECT_EQ(code(client, "EHLO client.example"), "250");
        for (const std::string& line : lines)
            EXPECT_EQ(code(client, line).substr(0, 1), line == "DATA" ? "3" : "2") << line;
        return client;
    }
    /// Up to the 354.
    Client& in_data() {
        return greeted({"MAIL FROM:<a@client.example>", "RCPT TO:<b@dest.example>", "DATA"});
    }
    void run(Duration d) { sim.run_until(sim.now() + d); }
    void stop(Duration patience) {
        stopped = true;
        ends.spawn(end(sim.now() + patience));
    }

    static std::string message(std::string_view body = "Hello\r\n") {
        return "From: a@client.example\r\nTo: b@dest.example\r\nSubject: x\r\nDate: Tue, 24 Nov "
               "2026 08:00:00 +0000\r\nMessage-ID: <1@client.example>\r\n\r\n" +
               std::string(body);
    }

    const Endpoint at{boost::asio::ip::make_address("198.51.100.1"), 2525};
    virtual_::Simulation sim{from_unix_millis(1'795'507'200'000)};  // 24 Nov 2026, 08:00 UTC
    SeededRandom random{1};
    virtual_::VirtualNetwork wires{sim, random};
    virtual_::Machine& relay = sim.machine("relay");
    virtual_::Machine& clients = sim.machine("clients");
    Diary diary;
    Metrics metrics;
    config::Snapshot settings;
    Shelf shelf;
    TaskGroup talks;
    TaskGroup ends;
    Network& relay_wire;
    Network& client_wire;
    std::unique_ptr<SmtpServer> server;
    std::vector<std::unique_ptr<Client>> all;
    bool stopped = false;
    bool ended = false;

  private:
    Task<void> listen_to(Client& client) {
        auto stream = co_await client_wire.connect(at, std::nullopt, clients.now() + 10s);
        if (!stream) {
            client.refused = client.over = true;
            co_return;
        }
        client.stream = std::move(*stream);
        co_await hear(client);
    }
    Task<void> hear(Client& client) {
        std::vector<char> buffer(4096);
        while (true) {
            client.stream->expires_at(never);
            const auto got = co_await client.stream->read_some(buffer);
            if (!got) break;
            client.heard.append(buffer.data(), *got);
        }
        client.over = true;
    }
    Task<void> send(Client& client, std::string bytes) {
        if (client.stream) co_await client.stream->write(bytes);
    }
    Task<void> end(Time deadline) {
        co_await server->stop(deadline);
        ended = true;
    }
};

}  // namespace millrace::relay::test
