#include "tests/unit/relay/relay_on_wires.hpp"

namespace millrace::relay {

Task<bool> Heard::send(std::string line) {
    auto const all = boost::json::parse(line).as_object();
    if (auto const* const item = all.if_contains("item")) items.push_back(item->as_object());
    if (auto const* const error = all.if_contains("error")) {
        failed = std::string(error->as_object().at("text").as_string());
    }
    done = done || !all.contains("item");
    co_return true;
}

RelayOnWires::RelayOnWires() {
    wanted.relay.hostname = "relay.example";
    config::Listener listener;
    listener.address = "127.0.0.1";
    listener.trusted = {*Network4or6::parse("127.0.0.0/8")};
    wanted.relay.listeners = {listener};
}

RelayOnWires::~RelayOnWires() {
    stop();
    simulation.shutdown();
    world.reset();  // before the wires: ends of receivers still say so to them
}

void RelayOnWires::start() {
    settings = std::make_shared<config::Settings>(wanted);
    spool = std::make_unique<MemorySpool>(
        disk, machine.executor(), machine, log, MemorySpool::Options{});
    auto listeners = open_listeners(network, settings->relay);
    ASSERT_TRUE(listeners);
    relay = std::make_unique<Relay>(
        World{machine.executor(), machine, random, network, resolver, *spool, pool, log, metrics},
        settings,
        std::move(*listeners));
    relay->on_broken = [this](const std::string&) {
        broken_at = simulation.now();
    };
    relay->wake = [this](const std::vector<std::string>& command) {
        woken.push_back(command);
    };
    relay->start();
    run(1s);
}

void RelayOnWires::stop() {
    if (!relay) return;
    bool stopped = false;
    auto end = [](Relay& r, Time by, bool& done) -> Task<void> {
        co_await r.stop(by);
        done = true;
    };
    talks.spawn(end(*relay, simulation.now() + 20s, stopped));
    EXPECT_TRUE(simulation.run_until([&] { return stopped; }, simulation.now() + 1min));
    relay.reset();
    spool.reset();
}

Receiver& RelayOnWires::receiver(const std::string& domain, const char* address, std::string host) {
    if (host.empty()) host = "mx." + domain;
    zones.add_mail_domain(domain, host, ip(address));
    auto& computer = simulation.machine(host);
    auto& wire = wires.plug(computer, {ip(address)});
    receivers.push_back(
        std::make_unique<Receiver>(computer, wire, random, Endpoint{ip(address), 25}, host));
    return *receivers.back();
}

std::string RelayOnWires::send(std::vector<Letter> letters) {
    auto talk = [](Network& wire, Time by, std::vector<Letter> all, std::string& id, bool& done)
        -> Task<void> {
        auto stream = co_await wire.connect({ip("127.0.0.1"), 2525}, std::nullopt, by);
        if (!stream) co_return;
        (*stream)->expires_at(by);
        std::vector<char> room(4096);
        auto heard = co_await (*stream)->read_some(room);
        std::vector<std::string> lines = {"EHLO app.example\r\n"};
        for (auto const& letter : all) {
            lines.push_back("MAIL FROM:<" + letter.from + ">\r\n");
            lines.push_back("RCPT TO:<" + letter.to + ">" + letter.notify + "\r\n");
            for (auto const& other : letter.more)
                lines.push_back("RCPT TO:<" + other + ">\r\n");
            lines.push_back("DATA\r\n");
            lines.push_back("From: Anna <anna@shop.example>\r\nTo: <" + letter.to +
                            ">\r\nSubject: hello\r\nDate: Tue, 24 Nov 2026 08:00:00 +0000\r\n" +
                            (letter.bulk ? "List-Id: <news.shop.example>\r\n" : "") +
                            "\r\nhello\r\n.\r\n");
        }
        for (auto const& line : lines) {
            co_await (*stream)->write(line);
            heard = co_await (*stream)->read_some(room);
            if (!heard) co_return;
            std::string const said(room.data(), *heard);
            EXPECT_TRUE(said.starts_with("2") || said.starts_with("354")) << line << said;
            if (auto const at = said.find("queued as "); at != said.npos) {
                id = said.substr(at + 10, 13);
            }
        }
        done = true;
    };
    std::string id;
    bool done = false;
    talks.spawn(talk(network, simulation.now() + 1h, std::move(letters), id, done));
    EXPECT_TRUE(simulation.run_until([&] { return done; }, simulation.now() + 1h));
    return id;
}

std::shared_ptr<Heard> RelayOnWires::ask(const std::string& command,
                                         const std::string& name,
                                         const std::string& target) {
    auto const heard = std::make_shared<Heard>();
    auto talk = [](Operations& operations,
                   Clock& clock,
                   Log& log,
                   std::string line,
                   std::shared_ptr<Heard> sink) -> Task<void> {
        ControlCommands commands(operations, clock, log, "uid 0");
        co_await commands.answer(std::move(line), *sink);
    };
    boost::json::object request{{"command", command}, {"reason", "removed"}};
    if (target.empty()) {
        request["name"] = name;
    } else {
        request["target"] = target;
        request["reason"] = "their server moves tonight";
    }
    auto line = boost::json::serialize(request);
    talks.spawn(talk(relay->operations(), machine, log, std::move(line), heard));
    EXPECT_TRUE(simulation.run_until([&] { return heard->done; }, simulation.now() + 1min));
    return heard;
}

std::vector<std::string> RelayOnWires::told(const Receiver& who) {
    std::vector<std::string> all;
    for (auto const& taken : who.taken())
        all.insert(all.end(), taken.recipients.begin(), taken.recipients.end());
    return all;
}

std::vector<std::string> RelayOnWires::waiting() const {
    std::vector<std::string> all;
    for (auto const& [key, work] : disk->durable().works)
        all.push_back(work->recipient);
    return all;
}

}  // namespace millrace::relay
