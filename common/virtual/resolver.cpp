#include "common/virtual/resolver.hpp"

#include <algorithm>

#include "common/net/dns_wire.hpp"

namespace millrace::virtual_ {
namespace {

constexpr Duration silence = std::chrono::seconds(30);

std::string lower(std::string name) {
    for (char& c : name) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    if (name.ends_with('.')) name.pop_back();
    return name;
}

template <class Record>
DnsAnswer<Record> nobody_knows(std::string detail) {
    DnsAnswer<Record> answer;
    answer.detail = std::move(detail);
    return answer;
}

}  // namespace

void VirtualZones::add_mail_domain(const std::string& domain,
                                   const std::string& host,
                                   const Address& address) {
    names[domain].mx.push_back(MxRecord{10, host});
    names[host].addresses.push_back(address);
}

void VirtualZones::add_null_mx(const std::string& domain) {
    names[domain].mx = {MxRecord{0, ""}};
}

void VirtualZones::add_reverse(const Address& address, const std::string& name) {
    names[reverse_name(address)].ptr.push_back(lower(name));
}

template <class Record>
DnsAnswer<Record> VirtualResolver::look_up(std::string name,
                                           std::vector<Record> VirtualZones::Name::* type) const {
    DnsAnswer<Record> answer;
    answer.ttl = zones_.negative_ttl;
    answer.secure = true;
    for (int hops = 0; hops < 12; ++hops) {
        const auto found = zones_.names.find(name);
        if (found == zones_.names.end()) {
            answer.status = DnsStatus::no_name;
            answer.secure = false;
            return answer;
        }
        const VirtualZones::Name& zone = found->second;
        if (zone.fails) {
            return nobody_knows<Record>("SERVFAIL for " + name);
        }
        answer.secure = answer.secure && zone.secure;
        answer.ttl = hops == 0 ? zone.ttl : std::min(answer.ttl, zone.ttl);
        if (!zone.alias.empty()) {
            name = zone.alias;
            continue;
        }
        answer.records = zone.*type;
        answer.status = answer.records.empty() ? DnsStatus::no_data : DnsStatus::found;
        if (answer.records.empty()) answer.ttl = std::min(answer.ttl, zones_.negative_ttl);
        return answer;
    }
    return nobody_knows<Record>("a loop of aliases at " + name);
}

template <class Record>
Task<DnsAnswer<Record>> VirtualResolver::ask(std::string name,
                                             std::vector<Record> VirtualZones::Name::* type,
                                             Cache<Record>& cache) {
    name = lower(std::move(name));
    if (const auto found = cache.find(name); found != cache.end()) {
        if (found->second.until > machine_.now()) {
            DnsAnswer<Record> answer = found->second.answer;
            answer.ttl = found->second.until - machine_.now();
            co_return answer;
        }
        cache.erase(found);
    }
    if (zones_.lost > 0 && random_.unit() < zones_.lost) {
        machine_.simulation().fault_fired("dns-lost");
        co_await machine_.sleep(silence);
        co_return nobody_knows<Record>("no answer within 30 s");
    }
    const auto spread =
        static_cast<std::uint64_t>((zones_.delay_most - zones_.delay_least).count());
    co_await machine_.sleep(zones_.delay_least + Duration(random_.below(spread + 1)));
    if (zones_.servfail > 0 && random_.unit() < zones_.servfail) {
        machine_.simulation().fault_fired("dns-servfail");
        co_return nobody_knows<Record>("SERVFAIL for " + name);
    }
    DnsAnswer<Record> answer = look_up<Record>(name, type);
    if (answer.status != DnsStatus::temporary) {
        cache[name] = Cached<Record>{machine_.now() + answer.ttl, answer};
    }
    co_return answer;
}

Task<DnsAnswer<MxRecord>> VirtualResolver::mx(std::string domain) {
    return ask<MxRecord>(std::move(domain), &VirtualZones::Name::mx, mx_);
}

Task<DnsAnswer<Address>> VirtualResolver::addresses(std::string host) {
    return ask<Address>(std::move(host), &VirtualZones::Name::addresses, addresses_);
}

Task<DnsAnswer<std::string>> VirtualResolver::names(Address address) {
    return ask<std::string>(reverse_name(address), &VirtualZones::Name::ptr, ptr_);
}

Task<DnsAnswer<std::string>> VirtualResolver::txt(std::string name) {
    return ask<std::string>(std::move(name), &VirtualZones::Name::txt, txt_);
}

}  // namespace millrace::virtual_
