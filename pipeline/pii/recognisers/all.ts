import type { Recogniser } from '../recogniser.ts';
import { american } from './america.ts';
import { asian } from './asia.ts';
import { cryptoWallet } from './crypto-wallets.ts';
import { dateOfBirth, dateTime } from './dates.ts';
import { email } from './email.ts';
import { german } from './germany.ts';
import { ipAddress, macAddress } from './network.ts';
import { northernEuropean } from './northern-europe.ts';
import { otherRegions } from './other-regions.ts';
import { creditCard, iban } from './payment.ts';
import { philippineMobile, phone, turkishPhone } from './phone.ts';
import { secret, url, urlCredentials } from './secrets.ts';
import { southernEuropean } from './southern-europe.ts';
import { british } from './united-kingdom.ts';

/** Every recogniser there is. A new one is one entry here and one name in entities.ts. */
export const RECOGNISERS: readonly Recogniser[] = [
  secret,
  urlCredentials,
  email,
  creditCard,
  iban,
  cryptoWallet,
  phone,
  ipAddress,
  macAddress,
  turkishPhone,
  philippineMobile,
  dateOfBirth,
  dateTime,
  url,
  ...american,
  ...british,
  ...german,
  ...southernEuropean,
  ...northernEuropean,
  ...asian,
  ...otherRegions,
];
