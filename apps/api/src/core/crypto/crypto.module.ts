import { Global, Injectable, Module, type OnModuleInit } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { DataSource } from 'typeorm';
import { Cipher } from './cipher';
import { SealedSecrets } from './sealed-secrets';

/** Keeps a server from starting without the keys of what is sealed in its database. */
@Injectable()
class KeyCheck implements OnModuleInit {
  constructor(
    @InjectDataSource() private readonly database: DataSource,
    private readonly cipher: Cipher,
  ) {}

  onModuleInit(): Promise<void> {
    return new SealedSecrets(this.cipher, this.database).requireKeys();
  }
}

@Global()
@Module({ providers: [Cipher, KeyCheck], exports: [Cipher] })
export class CryptoModule {}
