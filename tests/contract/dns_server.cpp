#include "tests/contract/dns_server.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

namespace millrace::contract {

using boost::system::error_code;
using tcp = asio::ip::tcp;
using udp = asio::ip::udp;

namespace {

constexpr std::uint16_t type_a = 1, type_cname = 5, type_ptr = 12, type_mx = 15, type_txt = 16,
                        type_aaaa = 28;

std::string u16(unsigned value) {
    return {static_cast<char>(value >> 8), static_cast<char>(value)};
}

std::string u32(std::uint32_t value) {
    return u16(value >> 16) + u16(value & 0xffff);
}

unsigned u16_at(const std::string& bytes, std::size_t at) {
    return static_cast<unsigned char>(bytes.at(at)) * 256U +
           static_cast<unsigned char>(bytes.at(at + 1));
}

std::string wire_name(const std::string& name) {
    std::string wire;
    for (std::size_t at = 0; at < name.size();) {
        const auto dot = std::min(name.find('.', at), name.size());
        wire += static_cast<char>(dot - at);
        wire += name.substr(at, dot - at);
        at = dot + 1;
    }
    return wire + '\0';
}

std::string record(const std::string& name, unsigned type, Duration ttl, const std::string& rdata) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(ttl).count();
    return wire_name(name) + u16(type) + u16(1) + u32(static_cast<std::uint32_t>(seconds)) +
           u16(static_cast<unsigned>(rdata.size())) + rdata;
}

template <class Bytes>
std::string as_string(const Bytes& bytes) {
    return {bytes.begin(), bytes.end()};
}

std::string txt_rdata(const std::string& text) {
    std::string rdata;
    for (std::size_t at = 0; at == 0 || at < text.size(); at += 100) {
        const std::string piece = text.substr(at, 100);
        rdata += static_cast<char>(piece.size());
        rdata += piece;
    }
    return rdata;
}

/// The records of one name and type.
std::vector<std::string> records(const std::string& name,
                                 const virtual_::VirtualZones::Name& zone,
                                 unsigned type) {
    std::vector<std::string> all;
    if (type == type_mx) {
        for (const MxRecord& mx : zone.mx) {
            all.push_back(record(name, type, zone.ttl, u16(mx.preference) + wire_name(mx.host)));
        }
    } else if (type == type_txt) {
        for (const std::string& text : zone.txt) {
            all.push_back(record(name, type, zone.ttl, txt_rdata(text)));
        }
    } else if (type == type_ptr) {
        for (const auto& host : zone.ptr) {
            all.push_back(record(name, type, zone.ttl, wire_name(host)));
        }
    } else if (type == type_a || type == type_aaaa) {
        for (const Address& address : zone.addresses) {
            if (address.is_v4() != (type == type_a)) continue;
            all.push_back(record(name,
                                 type,
                                 zone.ttl,
                                 address.is_v4() ? as_string(address.to_v4().to_bytes())
                                                 : as_string(address.to_v6().to_bytes())));
        }
    }
    return all;
}

}  // namespace

struct DnsServer::Sockets {
    explicit Sockets(asio::io_context& loop)
        : datagrams(loop, udp::endpoint(asio::ip::make_address_v4("127.0.0.1"), 0)),
          acceptor(loop,
                   tcp::endpoint(asio::ip::make_address_v4("127.0.0.1"),
                                 datagrams.local_endpoint().port())) {}
    udp::socket datagrams;
    tcp::acceptor acceptor;
    bool closed = false;
};

DnsServer::DnsServer(asio::io_context& loop, virtual_::VirtualZones& zones)
    : zones_(zones),
      sockets_(std::make_shared<Sockets>(loop)),
      at_{asio::ip::make_address("127.0.0.1"), sockets_->datagrams.local_endpoint().port()} {
    asio::co_spawn(loop, serve_udp(*this, sockets_), asio::detached);
    asio::co_spawn(loop, serve_tcp(*this, sockets_), asio::detached);
}

DnsServer::~DnsServer() {
    sockets_->closed = true;
    sockets_->datagrams.close();
    sockets_->acceptor.close();
}

unsigned DnsServer::asked(const std::string& name) const {
    const auto found = asked_.find(name);
    return found == asked_.end() ? 0 : found->second;
}

std::string DnsServer::answer(const std::string& question, bool over_tcp) {
    std::string name;
    std::size_t at = 12;
    while (question.at(at) != 0) {
        const auto length = static_cast<unsigned char>(question.at(at));
        if (!name.empty()) name += '.';
        name += question.substr(at + 1, length);
        at += 1U + length;
    }
    for (char& c : name)
        c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    const unsigned type = u16_at(question, at + 1);
    const std::string asked = question.substr(12, at + 5 - 12);
    ++asked_[name];
    unsigned flags = 0x8580;  // an authoritative answer that could have recursed
    std::string id = question.substr(0, 2);

    auto manner = manners_.find({name, static_cast<std::uint16_t>(type)});
    if (manner == manners_.end()) manner = manners_.find({name, 0});
    if (manner != manners_.end()) {
        switch (manner->second) {
            case Manner::silent:
                return {};
            case Manner::garbage:
                return id + "\x85\x80\xff\xff garbage that is no DNS message";
            case Manner::servfail:
                flags |= 2;
                break;
            case Manner::refused:
                flags |= 5;
                break;
            case Manner::wrong_id:
                id[0] = static_cast<char>(id[0] ^ 0x55);
                break;
            case Manner::no_tcp:
                if (over_tcp) return {};
                [[fallthrough]];
            case Manner::truncated:
                if (!over_tcp)
                    return id + u16(flags | 0x0200) + u16(1) + u16(0) + u16(0) + u16(0) + asked;
                break;
        }
        if ((flags & 15) != 0) {
            return id + u16(flags) + u16(1) + u16(0) + u16(0) + u16(0) + asked;
        }
    }
    std::vector<std::string> answers;
    auto zone = zones_.names.find(name);
    while (zone != zones_.names.end() && !zone->second.alias.empty() && answers.size() < 12) {
        answers.push_back(
            record(zone->first, type_cname, zone->second.ttl, wire_name(zone->second.alias)));
        zone = zones_.names.find(zone->second.alias);
    }
    std::string authority;
    unsigned authorities = 0;
    if (zone == zones_.names.end()) {
        flags |= 3;
    } else if (zone->second.fails) {
        return id + u16(flags | 2) + u16(1) + u16(0) + u16(0) + u16(0) + asked;
    } else {
        const auto more = records(zone->first, zone->second, type);
        answers.insert(answers.end(), more.begin(), more.end());
    }
    if (answers.empty()) {  // RFC 2308: a negative answer is kept as long as the SOA says
        const auto seconds = static_cast<std::uint32_t>(
            std::chrono::duration_cast<std::chrono::seconds>(zones_.negative_ttl).count());
        authority = record("test",
                           6,
                           zones_.negative_ttl,
                           wire_name("ns.test") + wire_name("root.test") + u32(1) + u32(3600) +
                               u32(600) + u32(86400) + u32(seconds));
        authorities = 1;
    }
    std::string message = id + u16(flags) + u16(1) + u16(static_cast<unsigned>(answers.size())) +
                          u16(authorities) + u16(0) + asked;
    for (const std::string& one : answers)
        message += one;
    return message + authority;
}

Task<void> DnsServer::serve_udp(DnsServer& self, std::shared_ptr<Sockets> sockets) {
    for (;;) {
        std::string question(4096, '\0');
        udp::endpoint from;
        error_code error;
        const auto got = co_await sockets->datagrams.async_receive_from(
            asio::buffer(question), from, asio::redirect_error(asio::use_awaitable, error));
        if (sockets->closed) co_return;
        if (error || got < 17) continue;
        question.resize(got);
        const std::string reply = self.answer(question, false);
        if (!reply.empty()) sockets->datagrams.send_to(asio::buffer(reply), from, 0, error);
    }
}

Task<void> DnsServer::serve_tcp(DnsServer& self, std::shared_ptr<Sockets> sockets) {
    for (;;) {
        error_code error;
        tcp::socket socket = co_await sockets->acceptor.async_accept(
            asio::redirect_error(asio::use_awaitable, error));
        if (sockets->closed) co_return;
        if (error) continue;
        auto const executor = socket.get_executor();
        asio::co_spawn(executor, converse(self, sockets, std::move(socket)), asio::detached);
    }
}

Task<void> DnsServer::converse(DnsServer& self,
                               std::shared_ptr<Sockets> sockets,
                               tcp::socket socket) {
    for (;;) {
        error_code error;
        std::string length(2, '\0');
        co_await asio::async_read(
            socket, asio::buffer(length), asio::redirect_error(asio::use_awaitable, error));
        if (error || sockets->closed) co_return;
        std::string question(u16_at(length, 0), '\0');
        co_await asio::async_read(
            socket, asio::buffer(question), asio::redirect_error(asio::use_awaitable, error));
        if (error || sockets->closed) co_return;
        std::string reply = self.answer(question, true);
        if (reply.empty()) co_return;
        reply = u16(static_cast<unsigned>(reply.size())) + reply;
        co_await asio::async_write(
            socket, asio::buffer(reply), asio::redirect_error(asio::use_awaitable, error));
        if (error) co_return;
    }
}

}  // namespace millrace::contract
